// What this machine's memory, host link and tensor cores reach, measured beside everything that is compared with them.

import { DeviceBuffer, PinnedBuffer, Stream } from '@limen/cuda-kernels';
import { checksum, copy, empty, fillNormal, linear, parseDevice, trimMemory, zeros } from '@limen/tensor';

import { DeviceStopwatch } from '../lib/device-stopwatch.js';
import { type Sample, scale, summarize, timeLaunches } from '../lib/measure.js';
import type { Measurement } from '../lib/report.js';

/** Bytes a second, measured. */
export interface Ceilings {
  readonly read: Sample;
  /** Bytes read and bytes written, together. */
  readonly copy: Sample;
  /** From the device to pinned host memory, and back; on a CPU a copy inside host memory. */
  readonly linkOut: Sample;
  readonly linkIn: Sample;
}

/** Bytes of the buffers: far beyond any cache, so that every byte comes from memory. */
const bufferBytes = { full: 4 * 2 ** 30, small: 2 ** 20 };
const linkBytes = { full: 2 ** 30, small: 2 ** 20 };

/** Measures all four rates. */
export async function measureCeilings(device: string, size: 'full' | 'small', runs: number): Promise<Ceilings> {
  const copied = await copyRate(device, bufferBytes[size] / 2, runs);
  // On a CPU the checksum may be its reference, which is no measure of the memory: there the copy stands for it.
  const read = device === 'cpu' ? copied : await readRate(device, bufferBytes[size], runs);
  trimMemory(device);
  const link = await linkRates(device, linkBytes[size], runs);
  return { read, copy: copied, ...link };
}

/** The rates as measurements, for the results file and for the pages that quote it. */
export function ceilingMeasurements({ read, copy: copied, linkOut, linkIn }: Ceilings): Measurement[] {
  const rate = (id: string, sample: Sample, unit: 'TB/s' | 'GB/s'): Measurement => ({
    id: `ceiling/${id}`,
    unit,
    ...scale(sample, (bytes) => bytes / (unit === 'TB/s' ? 1e12 : 1e9)),
    floor: null,
    rivals: [],
  });
  return [
    rate('read', read, 'TB/s'),
    rate('copy', copied, 'TB/s'),
    rate('link-out', linkOut, 'GB/s'),
    rate('link-in', linkIn, 'GB/s'),
  ];
}

/** Tera-operations a second of a square bf16 projection (f32 on a CPU). */
export async function measureProjection(device: string, size: 'full' | 'small', runs: number): Promise<Measurement> {
  const width = size === 'full' ? 8192 : 128;
  const dtype = device === 'cpu' ? 'f32' : 'bf16';
  using x = empty([width, width], { dtype, device });
  using weight = empty([width, width], { dtype, device });
  using y = empty([width, width], { dtype, device });
  fillNormal({ x }, { seed: 1 });
  fillNormal({ x: weight }, { seed: 2, deviation: width ** -0.5 });
  const sample = await timeLaunches(device, () => linear({ x, weight }, { out: y }), { runs, calls: 10 });
  return {
    id: `ceiling/linear-${dtype}-${width}`,
    unit: 'TFLOP/s',
    ...scale(sample, (milliseconds) => (2 * width ** 3) / (milliseconds * 1e9)),
    floor: null,
    rivals: [],
  };
}

async function readRate(device: string, bytes: number, runs: number): Promise<Sample> {
  using x = zeros([bytes / 4], { dtype: 'i32', device });
  using sum = empty([1], { dtype: 'i32', device });
  const sample = await timeLaunches(device, () => checksum({ x }, { out: sum }), { runs, calls: 10 });
  return bytesPerSecond(sample, bytes);
}

async function copyRate(device: string, bytes: number, runs: number): Promise<Sample> {
  using x = zeros([bytes / 4], { dtype: 'i32', device });
  using y = empty([bytes / 4], { dtype: 'i32', device });
  const sample = await timeLaunches(device, () => copy({ x }, { out: y }), { runs, calls: 10 });
  return bytesPerSecond(sample, 2 * bytes);
}

async function linkRates(device: string, bytes: number, runs: number): Promise<Pick<Ceilings, 'linkOut' | 'linkIn'>> {
  const name = parseDevice(device);
  if (name === 'cpu') {
    const [from, to] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes)];
    const sample = bytesPerSecond(await timeLaunches(device, () => to.set(from), { runs, calls: 4 }), bytes);
    return { linkOut: sample, linkIn: sample };
  }
  const index = Number(name.slice('cuda:'.length));
  using stream = Stream.create(index);
  using stopwatch = new DeviceStopwatch(index, stream);
  using buffer = DeviceBuffer.allocate(index, bytes);
  using pinned = PinnedBuffer.allocate(bytes);
  const host = new Uint8Array(pinned.buffer);
  const times = async (enqueue: () => void) => {
    const milliseconds: number[] = [];
    for (let run = 0; run <= runs; run++) {
      stopwatch.start();
      enqueue();
      stopwatch.stop();
      await stream.synchronize();
      milliseconds.push(stopwatch.milliseconds);
    }
    return bytesPerSecond(summarize(milliseconds.slice(1)), bytes);
  };
  buffer.fill(1, stream);
  return {
    linkOut: await times(() => buffer.copyToPinned(pinned, stream)),
    linkIn: await times(() => buffer.write(host, stream)),
  };
}

function bytesPerSecond(milliseconds: Sample, bytes: number): Sample {
  return scale(milliseconds, (time) => (1000 * bytes) / time);
}
