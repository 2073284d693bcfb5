// Graphs: what a stream was given, recorded once and launched as one.

#include "napi/arguments.h"
#include "napi/cuda_device.h"

namespace limen {
namespace {

// Thread-local: other threads of the process may go on allocating and synchronising while this one captures.
Napi::Value begin_capture(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "beginCapture");
  const auto stream = arguments.handle<cudaStream_t>(1, "stream");
  use_device(arguments.device(0));
  LIMEN_CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  return info.Env().Undefined();
}

Napi::Value end_capture(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "endCapture");
  const auto stream = arguments.handle<cudaStream_t>(1, "stream");
  use_device(arguments.device(0));
  cudaGraph_t graph = nullptr;
  LIMEN_CUDA_CHECK(cudaStreamEndCapture(stream, &graph));
  if (graph == nullptr) {
    throw OpError("CUDA_CAPTURE_FAILED",
                  "endCapture: the capture gave no graph, because an operation in it was not allowed.");
  }
  return number_of_pointer(info.Env(), graph);
}

Napi::Value abort_capture(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "abortCapture");
  const auto stream = arguments.handle<cudaStream_t>(1, "stream");
  use_device(arguments.device(0));
  if (is_capturing(stream)) {
    cudaGraph_t graph = nullptr;
    cudaStreamEndCapture(stream, &graph);  // its status is the failure that led here
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
  }
  return info.Env().Undefined();
}

Napi::Value is_capturing_stream(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "isCapturing");
  use_device(arguments.device(0));
  return Napi::Boolean::New(info.Env(), is_capturing(arguments.address<cudaStream_t>(1, "stream")));
}

Napi::Value graph_node_count(const Napi::CallbackInfo& info) {
  size_t count = 0;
  LIMEN_CUDA_CHECK(
      cudaGraphGetNodes(Arguments(info, "graphNodeCount").handle<cudaGraph_t>(0, "graph"), nullptr, &count));
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

// The upload moves the cost of the first launch to here, where the caller expects to wait.
void upload_graph(cudaGraphExec_t executable) {
  cudaStream_t stream = nullptr;
  LIMEN_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  cudaError_t status = cudaGraphUpload(executable, stream);
  if (status == cudaSuccess) status = cudaStreamSynchronize(stream);
  cudaStreamDestroy(stream);
  check_cuda(status, "cudaGraphUpload()", __FILE__, __LINE__);
}

Napi::Value instantiate_graph(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "instantiateGraph");
  const auto graph = arguments.handle<cudaGraph_t>(1, "graph");
  use_device(arguments.device(0));
  cudaGraphExec_t executable = nullptr;
  LIMEN_CUDA_CHECK(cudaGraphInstantiate(&executable, graph, 0));
  try {
    upload_graph(executable);
  } catch (const OpError&) {
    cudaGraphExecDestroy(executable);
    throw;
  }
  return number_of_pointer(info.Env(), executable);
}

Napi::Value launch_graph(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "launchGraph");
  const auto executable = arguments.handle<cudaGraphExec_t>(1, "executable");
  use_device(arguments.device(0));
  LIMEN_CUDA_CHECK(cudaGraphLaunch(executable, arguments.address<cudaStream_t>(2, "stream")));
  return info.Env().Undefined();
}

Napi::Value destroy_graph(const Napi::CallbackInfo& info) {
  LIMEN_CHECK_RELEASE(cudaGraphDestroy(Arguments(info, "destroyGraph").handle<cudaGraph_t>(0, "graph")));
  return info.Env().Undefined();
}

Napi::Value destroy_graph_executable(const Napi::CallbackInfo& info) {
  const auto executable = Arguments(info, "destroyGraphExecutable").handle<cudaGraphExec_t>(0, "executable");
  LIMEN_CHECK_RELEASE(cudaGraphExecDestroy(executable));
  return info.Env().Undefined();
}

}  // namespace

void bind_graphs(Napi::Env, Napi::Object exports) {
  bind<begin_capture>(exports, "beginCapture");
  bind<end_capture>(exports, "endCapture");
  bind<abort_capture>(exports, "abortCapture");
  bind<is_capturing_stream>(exports, "isCapturing");
  bind<graph_node_count>(exports, "graphNodeCount");
  bind<instantiate_graph>(exports, "instantiateGraph");
  bind<launch_graph>(exports, "launchGraph");
  bind<destroy_graph>(exports, "destroyGraph");
  bind<destroy_graph_executable>(exports, "destroyGraphExecutable");
}

}  // namespace limen
