import { describe, expect, test } from 'vitest';

import { withoutGpu } from '../test/gpu.js';
import { CudaError } from './errors/cuda-error.js';
import { NativeError } from './errors/native-error.js';
import { Graph } from './graph.js';
import { requireNative } from './load-native.js';
import { DeviceBuffer } from './memory.js';
import { Stream } from './stream.js';

class Interrupted extends NativeError {}

describe.skipIf(withoutGpu)('Graph', () => {
  test('runs nothing while it captures, and everything at each launch', async () => {
    using stream = Stream.create();
    using source = DeviceBuffer.allocate(0, 1024);
    using target = DeviceBuffer.allocate(0, 1024);
    source.fill(1, stream);
    target.fill(0, stream);
    await stream.synchronize();

    using graph = Graph.capture(stream, () => {
      source.copyTo(target, stream);
      source.fill(7, stream);
    });
    expect(graph.nodeCount).toBe(2);
    expect((await target.read(stream))[0]).toBe(0);

    using executable = graph.instantiate();
    executable.launch(stream);
    expect((await target.read(stream))[1023]).toBe(1);
    executable.launch(stream);
    expect((await target.read(stream))[1023]).toBe(7);
  });

  test('may be disposed once it is instantiated', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 16);
    const graph = Graph.capture(stream, () => buffer.fill(4, stream));
    using executable = graph.instantiate();
    graph.dispose();
    executable.launch(stream);
    expect((await buffer.read(stream))[0]).toBe(4);
  });

  test('leaves the stream usable when the step throws', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 16);
    const capture = () =>
      Graph.capture(stream, () => {
        buffer.fill(1, stream);
        throw new Interrupted('INTERRUPTED', 'half way');
      });
    expect(capture).toThrow(Interrupted);
    expect(requireNative().isCapturing(0, stream.handle)).toBe(false);
    buffer.fill(2, stream);
    expect((await buffer.read(stream))[0]).toBe(2);
  });

  test('refuses to read and to wait while it captures', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 16);
    expect(() => Graph.capture(stream, () => buffer.write(new Uint8Array(16), stream))).toThrow(
      expect.objectContaining({ code: 'CAPTURE_NOT_ALLOWED' }),
    );
    let reading: Promise<unknown> = Promise.resolve();
    using graph = Graph.capture(stream, () => {
      reading = buffer.read(stream);
      buffer.fill(3, stream);
    });
    await expect(reading).rejects.toMatchObject({ code: 'CAPTURE_NOT_ALLOWED' });
    expect(graph.nodeCount).toBe(1);
  });

  test('lets memory be allocated and freed while it captures', async () => {
    using stream = Stream.create();
    let inside: DeviceBuffer | undefined;
    using graph = Graph.capture(stream, () => {
      DeviceBuffer.allocate(0, 1 << 20).dispose();
      inside = DeviceBuffer.allocate(0, 1 << 20);
      inside.fill(6, stream);
    });
    using executable = graph.instantiate();
    executable.launch(stream);
    expect((await inside?.read(stream))?.[0]).toBe(6);
    inside?.dispose();
  });

  test('reports a second capture on the same stream and recovers', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 16);
    expect(() => Graph.capture(stream, () => void Graph.capture(stream, () => {}))).toThrow(CudaError);
    buffer.fill(8, stream);
    expect((await buffer.read(stream))[0]).toBe(8);
  });

  test('abortCapture is harmless on a stream that does not capture', () => {
    using stream = Stream.create();
    requireNative().abortCapture(0, stream.handle);
    expect(() => requireNative().endCapture(0, stream.handle)).toThrow(CudaError);
  });
});
