import { describe, expect, test } from 'vitest';

import { withoutGpu } from '../test/gpu.js';
import { listDevices } from './device.js';
import { DisposedError } from './errors/disposed-error.js';
import { Event } from './event.js';
import { DeviceBuffer } from './memory.js';
import { Stream } from './stream.js';

describe.skipIf(withoutGpu)('devices', () => {
  test('are described', () => {
    const [device] = listDevices();
    expect(device).toMatchObject({ index: 0, uuid: expect.stringMatching(/^GPU-[0-9a-f]{8}-/) as string });
    expect(device?.multiprocessorCount).toBeGreaterThan(0);
    expect(device?.totalMemoryBytes).toBeGreaterThan(1e9);
    expect(device?.memoryClockRateKilohertz).toBeGreaterThan(0);
  });
});

describe.skipIf(withoutGpu)('Stream and Event', () => {
  test('synchronize resolves when the work has run', async () => {
    using stream = Stream.create();
    using event = Event.create();
    using buffer = DeviceBuffer.allocate(0, 64 << 20);
    buffer.fill(1, stream);
    event.record(stream);
    await stream.synchronize();
    expect(event.isReached).toBe(true);
  });

  test('an event holds another stream back', async () => {
    using first = Stream.create();
    using second = Stream.create();
    using event = Event.create();
    using source = DeviceBuffer.allocate(0, 64 << 20);
    using target = DeviceBuffer.allocate(0, 64 << 20);
    for (let value = 0; value < 20; value++) source.fill(value, first);
    event.record(first);
    event.holdBack(second);
    source.copyTo(target, second);
    const bytes = await target.read(second);
    expect(bytes.every((byte) => byte === 19)).toBe(true);
  });

  test('two timed events measure the work between them', async () => {
    using stream = Stream.create();
    using start = Event.create(0, { timing: true });
    using end = Event.create(0, { timing: true });
    using buffer = DeviceBuffer.allocate(0, 256 << 20);
    start.record(stream);
    buffer.fill(1, stream);
    end.record(stream);
    await end.synchronize();
    expect(end.millisecondsSince(start)).toBeGreaterThan(0);
  });

  test('events without timing refuse to be measured, and nothing else breaks', async () => {
    using stream = Stream.create();
    using start = Event.create();
    using end = Event.create();
    start.record(stream);
    end.record(stream);
    await end.synchronize();
    expect(() => end.millisecondsSince(start)).toThrow(
      expect.objectContaining({ code: 'CUDA_INVALID_RESOURCE_HANDLE', kind: 'user' }),
    );
    await stream.synchronize();
  });

  test('an event may be disposed while it is waited for', async () => {
    using stream = Stream.create();
    using buffer = DeviceBuffer.allocate(0, 256 << 20);
    buffer.fill(1, stream);
    const event = Event.create();
    event.record(stream);
    const waiting = event.synchronize();
    event.dispose();
    await waiting;
    expect(() => event.record(stream)).toThrow(DisposedError);
  });
});
