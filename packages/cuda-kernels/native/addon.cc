// Exports the members of NativeBinding (src/native-types.ts); each comes from a file in napi/.

#include "napi/binding.h"

namespace limen {

Napi::Object initialize_addon(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData<AddonState>(new AddonState());
  exports.Set("version", LIMEN_VERSION);
  bind_errors(env, exports);
  bind_ops(env, exports);
  bind_host(env, exports);
  bind_libraries(env, exports);
#ifdef LIMEN_WITH_CUDA
  bind_devices(env, exports);
  bind_memory(env, exports);
  bind_streams(env, exports);
  bind_events(env, exports);
  bind_graphs(env, exports);
#else
  bind_cuda_absent(env, exports);
#endif
  return exports;
}

}  // namespace limen

Napi::Object Initialize(Napi::Env env, Napi::Object exports) { return limen::initialize_addon(env, exports); }

NODE_API_MODULE(limen, Initialize)
