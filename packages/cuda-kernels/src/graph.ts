// CUDA graphs as raw handles: record what a stream is given, then launch it as one. Buckets, fallback and replay checks
// are in @limen/graph-runtime.

import { requireDevice } from './device.js';
import { NativeHandle } from './native-handle.js';
import type { NativeBinding } from './native-types.js';
import type { Stream } from './stream.js';

/** What a stream was given between the start and the end of a capture. It has not run. */
export class Graph extends NativeHandle {
  readonly device: number;
  /** Kernels, copies and fills in it. */
  readonly nodeCount: number;
  readonly #binding: NativeBinding;

  private constructor(binding: NativeBinding, device: number, graph: number) {
    super(`graph on cuda:${device}`, graph, (handle) => binding.destroyGraph(handle));
    this.#binding = binding;
    this.device = device;
    this.nodeCount = binding.graphNodeCount(graph);
  }

  /**
   * Records what `enqueue` gives to `stream`; nothing runs. When `enqueue` throws, the capture is thrown away, the
   * stream is usable again and the error goes on.
   *
   * @throws {CudaError} something in the capture is not allowed there, such as waiting for the device
   */
  static capture(stream: Stream, enqueue: () => void): Graph {
    const binding = requireDevice(stream.device);
    binding.beginCapture(stream.device, stream.handle);
    try {
      enqueue();
    } catch (error) {
      binding.abortCapture(stream.device, stream.handle);
      throw error;
    }
    return new Graph(binding, stream.device, binding.endCapture(stream.device, stream.handle));
  }

  /** Makes it launchable and uploads it to the device. The graph itself may be disposed afterwards. */
  instantiate(): GraphExecutable {
    return new GraphExecutable(this.#binding, this.device, this.#binding.instantiateGraph(this.device, this.handle));
  }
}

/** A graph ready to run. It reads and writes the addresses it was captured with: their owner keeps them alive. */
export class GraphExecutable extends NativeHandle {
  readonly device: number;
  readonly #binding: NativeBinding;

  /** Made by {@link Graph.instantiate}. */
  constructor(binding: NativeBinding, device: number, executable: number) {
    super(`graph executable on cuda:${device}`, executable, (handle) => binding.destroyGraphExecutable(handle));
    this.#binding = binding;
    this.device = device;
  }

  /** Enqueues the whole graph on `stream`. */
  launch(stream: Stream): void {
    this.#binding.launchGraph(this.device, this.handle, stream.handle);
  }
}
