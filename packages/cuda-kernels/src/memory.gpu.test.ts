import { describe, expect, test } from 'vitest';

import { withoutGpu } from '../test/gpu.js';
import { CudaError } from './errors/cuda-error.js';
import { DisposedError } from './errors/disposed-error.js';
import { Event } from './event.js';
import { requireNative } from './load-native.js';
import { DeviceBuffer, PinnedBuffer } from './memory.js';
import { Stream } from './stream.js';

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) % 256);
}

describe.skipIf(withoutGpu)('DeviceBuffer', () => {
  test.each([1, 1000, 65_537, 5_000_000])('gives back the %s bytes that were written', async (length) => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, length);
    const bytes = pattern(length);
    buffer.write(bytes, stream);
    expect(Buffer.compare(await buffer.read(stream), bytes)).toBe(0);
  });

  test('lets the source change right after write', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 1 << 20);
    const source = new Uint8Array(1 << 20).fill(1);
    buffer.write(source, stream);
    source.fill(2);
    expect((await buffer.read(stream)).every((byte) => byte === 1)).toBe(true);
  });

  test('takes more than its staging blocks hold, twice in a row, from sources that change right after', async () => {
    using stream = Stream.create();
    const length = 150_000_001;
    const expected = Buffer.alloc(length, pattern(65_521));
    using first = DeviceBuffer.allocate(0, length);
    using second = DeviceBuffer.allocate(0, length);
    const source = Buffer.from(expected);
    first.write(source, stream);
    second.write(source, stream);
    source.fill(0);
    expect(Buffer.compare(await first.read(stream), expected)).toBe(0);
    expect(Buffer.compare(await second.read(stream), expected)).toBe(0);
  });

  test('reads what was there at the call, whatever is enqueued afterwards', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 8 << 20);
    buffer.fill(1, stream);
    const first = buffer.read(stream);
    buffer.fill(2, stream);
    const second = buffer.read(stream);
    expect((await first).every((byte) => byte === 1)).toBe(true);
    expect((await second).every((byte) => byte === 2)).toBe(true);
  });

  test('fills, and reads and writes a part', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 100);
    buffer.fill(9, stream);
    buffer.write(Uint8Array.of(1, 2, 3), stream, 10);
    expect([...(await buffer.read(stream, 9, 5))]).toEqual([9, 1, 2, 3, 9]);
    expect(() => buffer.write(new Uint8Array(91), stream, 10)).toThrow('range is outside the buffer');
    await expect(buffer.read(stream, 101, 0)).rejects.toThrow('range is outside the buffer');
  });

  test('copies on the device', async () => {
    using stream = Stream.create();
    using source = DeviceBuffer.allocate(0, 4096);
    using target = DeviceBuffer.allocate(0, 4096);
    source.write(pattern(4096), stream);
    source.copyTo(target, stream);
    expect(Buffer.compare(await target.read(stream), pattern(4096))).toBe(0);
  });

  test('holds nothing when it is empty', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 0);
    expect(buffer.address).toBe(0);
    expect((await buffer.read(stream)).length).toBe(0);
  });

  test('refuses what the device cannot hold, with a retryable error that leaves the device usable', async () => {
    const { totalBytes } = requireNative().memoryInfo(0);
    const allocate = () => DeviceBuffer.allocate(0, totalBytes * 2);
    expect(allocate).toThrow(CudaError);
    expect(allocate).toThrow(expect.objectContaining({ code: 'CUDA_MEMORY_ALLOCATION', kind: 'retryable' }));
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 16);
    buffer.fill(3, stream);
    expect((await buffer.read(stream))[15]).toBe(3);
  });

  test('gives its memory back and throws DisposedError afterwards', async () => {
    using stream = Stream.create();
    const buffer = DeviceBuffer.allocate(0, 64 << 20);
    const before = requireNative().memoryInfo(0).freeBytes;
    const reading = buffer.read(stream);
    buffer.dispose();
    await reading;
    expect(requireNative().memoryInfo(0).freeBytes).toBeGreaterThan(before);
    expect(() => buffer.address).toThrow(DisposedError);
  });
});

describe.skipIf(withoutGpu)('PinnedBuffer', () => {
  test('receives a copy whose end an event tells', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 1 << 20);
    using pinned = PinnedBuffer.allocate(1 << 20);
    using event = Event.create();
    buffer.fill(5, stream);
    buffer.copyToPinned(pinned, stream);
    event.record(stream);
    await event.synchronize();
    expect(new Uint8Array(pinned.buffer).every((byte) => byte === 5)).toBe(true);
  });

  test('is a source and a target like ordinary memory', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 1000);
    using pinned = PinnedBuffer.allocate(1000);
    new Uint8Array(pinned.buffer).set(pattern(1000));
    buffer.write(new Uint8Array(pinned.buffer), stream);
    await stream.synchronize();
    new Uint8Array(pinned.buffer).fill(0);
    await requireNative().copyToHost(0, buffer.address, pinned.buffer, 0, 1000, stream.handle);
    expect(Buffer.compare(new Uint8Array(pinned.buffer), pattern(1000))).toBe(0);
  });

  test('detaches its memory when it is disposed', () => {
    const pinned = PinnedBuffer.allocate(4096);
    const { buffer } = pinned;
    pinned.dispose();
    pinned.dispose();
    expect(buffer.byteLength).toBe(0);
    expect(() => pinned.buffer).toThrow(DisposedError);
  });

  test('is refused as too small, and ordinary memory is refused in its place', () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 100);
    using pinned = PinnedBuffer.allocate(99);
    expect(() => buffer.copyToPinned(pinned, stream)).toThrow('expected at least 100 bytes, got 99');
    const copy = () => requireNative().copyToPinned(0, buffer.address, new ArrayBuffer(100), 0, 100, stream.handle);
    expect(copy).toThrow('expected an ArrayBuffer of allocatePinned');
    expect(() => requireNative().freePinned(new ArrayBuffer(8))).toThrow('expected an ArrayBuffer of allocatePinned');
  });

  test('can be made and dropped many times', () => {
    for (let round = 0; round < 200; round++) PinnedBuffer.allocate(100_000).dispose();
    for (let round = 0; round < 200; round++) requireNative().allocatePinned(100_000); // left to the collector
    expect(PinnedBuffer.allocate(16).byteLength).toBe(16);
  });
});
