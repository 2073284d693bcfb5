// Exports the members of NativeBinding (src/native-types.ts); each comes from a file in napi/.

#include "napi/binding.h"

namespace limen {

// 4 GiB in Node.js 20, more in later ones.
size_t ask_largest_external_buffer(Napi::Env env) {
  constexpr size_t kSmallestKnown = size_t{1} << 32;
  try {
    const Napi::Value limit = env.RunScript("process.getBuiltinModule('node:buffer').constants.MAX_LENGTH");
    return limit.IsNumber() ? static_cast<size_t>(limit.As<Napi::Number>().DoubleValue()) : kSmallestKnown;
  } catch (const Napi::Error&) {
    return kSmallestKnown;
  }
}

Napi::Object initialize_addon(Napi::Env env, Napi::Object exports) {
  auto* state = new AddonState();
  env.SetInstanceData<AddonState>(state);
  state->largest_external_buffer = ask_largest_external_buffer(env);
  exports.Set("version", LIMEN_VERSION);
  bind_errors(env, exports);
  bind_ops(env, exports);
  bind_host(env, exports);
  bind_libraries(env, exports);
  bind_gpu_status(env, exports);
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
