// A side stream of a real GPU: ordered with the ops where it is asked to be, and beside them otherwise.

import { describe, expect, test } from 'vitest';

import { empty, fromArray, zeros } from './create.js';
import { add } from './ops/add.js';
import { copy } from './ops/copy.js';
import { record } from './record.js';
import { allocateHostBuffer, openSideStream } from './side-stream.js';
import { cudaUnavailable } from './testing/gpu.js';
import { read, synchronize } from './transfer.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);
const device = 'cuda:0';

describe.skipIf(reason !== undefined)('a side stream on a GPU', () => {
  test('sees what ops made before it, and ops see what it brought', async () => {
    using stream = openSideStream(device);
    using host = allocateHostBuffer(device, 3 * 4096 * 4);
    const numbers = new Float32Array(host.bytes.buffer);
    using x = fromArray(new Float32Array(4096).fill(1), [4096], { device });
    using doubled = add({ a: x, b: x });
    using staging = empty([4096], { device });
    stream.followOps();
    stream.run(() => copy({ x: doubled }, { out: staging }));
    stream.download(staging, host.bytes.subarray(0, 4096 * 4));
    await stream.reached();
    expect([numbers[0], numbers[4095]]).toEqual([2, 2]);
    numbers.fill(7);
    stream.upload(x, host.bytes.subarray(4096 * 4, 2 * 4096 * 4));
    stream.holdOps();
    using sum = add({ a: x, b: doubled });
    expect(new Set(await read(sum))).toEqual(new Set([9]));
    expect(host.pinned).toBe(true);
  });

  test('lets ops pass: a small op ends before a large copy that was enqueued first', async () => {
    const bytes = 256 * 2 ** 20;
    using stream = openSideStream(device);
    using host = allocateHostBuffer(device, bytes);
    using large = zeros([bytes], { dtype: 'u8', device });
    using x = fromArray([1, 2], [2], { device });
    using warm = add({ a: x, b: x });
    await synchronize(device);
    stream.followOps();
    stream.download(large, host.bytes);
    const copied = stream.reached().then(() => 'copy');
    using y = add({ a: x, b: warm });
    const computed = synchronize(device).then(() => 'op');
    expect(await Promise.race([copied, computed])).toBe('op');
    await Promise.all([copied, computed]);
    expect([...(await read(y))]).toEqual([3, 6]);
  });

  test('goes on while the ops are captured', async () => {
    using stream = openSideStream(device);
    using host = allocateHostBuffer(device, 2 ** 26);
    using large = zeros([2 ** 26], { dtype: 'u8', device });
    using x = fromArray([1, 2], [2], { device });
    using y = zeros([2], { device });
    add({ a: x, b: x }, { out: y }); // loads the kernel
    host.bytes.fill(3);
    stream.followOps();
    stream.download(large, host.bytes);
    const copied = stream.reached();
    using recording = record(device, () => add({ a: x, b: x }, { out: y }));
    recording.replay();
    await copied;
    expect(host.bytes.every((byte) => byte === 0)).toBe(true);
    expect([...(await read(y))]).toEqual([2, 4]);
  });
});
