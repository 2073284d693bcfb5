import { describe, expect, test } from 'vitest';

import { withoutGpu } from '../test/gpu.js';
import { requireNative } from './load-native.js';
import { DeviceBuffer } from './memory.js';
import { runOp } from './run-op.js';
import { Stream } from './stream.js';

const f32 = 0;
const i32 = 3;

function vector(buffer: DeviceBuffer, dtype: number, length: number): number[] {
  return [buffer.address, dtype, 1, length, 1];
}

function call(stream: Stream, tensors: readonly number[][], attributes: readonly number[] = []) {
  return {
    device: stream.device,
    stream: stream.handle,
    tensorCount: tensors.length,
    descriptors: new Float64Array(tensors.flat()),
    attributes: new Float64Array(attributes),
  };
}

describe.skipIf(withoutGpu)('runOp on a GPU', () => {
  test('adds two vectors', async () => {
    using stream = Stream.create();
    using a = DeviceBuffer.allocate(0, 4000);
    using b = DeviceBuffer.allocate(0, 4000);
    using y = DeviceBuffer.allocate(0, 4000);
    a.write(new Float32Array(1000).fill(1.5), stream);
    b.write(
      Float32Array.from({ length: 1000 }, (_, index) => index),
      stream,
    );
    runOp('add', 'cuda', call(stream, [vector(a, f32, 1000), vector(b, f32, 1000), vector(y, f32, 1000)]));
    const sum = new Float32Array((await y.read(stream)).buffer);
    expect([sum[0], sum[999]]).toEqual([1.5, 1000.5]);
  });

  test('names the op in what it refuses', () => {
    using stream = Stream.create();
    using a = DeviceBuffer.allocate(0, 40);
    const wrong = call(stream, [vector(a, i32, 10), vector(a, i32, 10)], [1e-6, 1]);
    expect(() => runOp('layer_norm', 'cuda', wrong)).toThrow(/^layer_norm: /);
  });

  test('works with LIMEN_SYNC=1, eagerly and in a capture', async () => {
    const before = process.env['LIMEN_SYNC'];
    process.env['LIMEN_SYNC'] = '1';
    try {
      using stream = Stream.create();
      using a = DeviceBuffer.allocate(0, 40);
      a.fill(0, stream);
      const add = call(stream, [vector(a, f32, 10), vector(a, f32, 10), vector(a, f32, 10)]);
      runOp('add', 'cuda', add);
      const binding = requireNative();
      binding.beginCapture(0, stream.handle);
      runOp('add', 'cuda', add);
      binding.destroyGraph(binding.endCapture(0, stream.handle));
      expect((await a.read(stream)).every((byte) => byte === 0)).toBe(true);
    } finally {
      if (before === undefined) delete process.env['LIMEN_SYNC'];
      else process.env['LIMEN_SYNC'] = before;
    }
  });
});
