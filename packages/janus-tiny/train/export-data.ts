// Writes training data: pictures as bytes and texts as lines, see FORMATS.md.
// export-data --split train --count 100000 --first-seed 0 --out DIR [--workers 8]

import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

import { makeCase, seedRanges, type Split } from '../src/index.js';
import { sampleOf } from './samples.js';

/** Cases that one worker writes. */
interface Share {
  readonly split: Split;
  readonly firstSeed: number;
  /** Index of the first case in the folder. */
  readonly firstIndex: number;
  readonly count: number;
  readonly out: string;
  /** Where the lines of this share go until all are done. */
  readonly linesFile: string;
}

const pictureBytes = 64 * 64 * 3;
const casesPerWrite = 512;

function writeShare({ split, firstSeed, firstIndex, count, out, linesFile }: Share): void {
  const images = openSync(join(out, 'images.u8'), 'r+');
  const samples = openSync(linesFile, 'w');
  for (let start = 0; start < count; start += casesPerWrite) {
    const size = Math.min(casesPerWrite, count - start);
    const pixels = new Uint8Array(size * pictureBytes);
    let lines = '';
    for (let index = 0; index < size; index++) {
      const made = makeCase(split, firstSeed + firstIndex + start + index);
      pixels.set(made.image.data, index * pictureBytes);
      lines += `${JSON.stringify(sampleOf(made))}\n`;
    }
    writeFully(images, pixels, (firstIndex + start) * pictureBytes);
    writeFully(samples, Buffer.from(lines), null);
  }
  closeSync(images);
  closeSync(samples);
}

function writeFully(file: number, bytes: Uint8Array, position: number | null): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(file, bytes, done, bytes.length - done, position === null ? null : position + done);
  }
}

function readCommandLine(): Omit<Share, 'firstIndex' | 'linesFile'> & { readonly workers: number } {
  const { values } = parseArgs({
    options: {
      split: { type: 'string', default: 'train' },
      count: { type: 'string', default: '1000' },
      'first-seed': { type: 'string', default: '0' },
      out: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const { split, out } = values;
  if (split !== 'train' && split !== 'validation' && split !== 'test')
    return refuse(`--split is not known: expected train, validation or test, got ${split}`);
  if (out === undefined) return refuse('--out is missing: expected a folder');
  const integer = (name: 'count' | 'first-seed' | 'workers', least: number, most: number): number => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    return refuse(`--${name} is not allowed: expected an integer from ${least} to ${most}, got ${values[name]}`);
  };
  const seeds = seedRanges[split].count;
  const firstSeed = integer('first-seed', 0, seeds - 1);
  return { split, out, firstSeed, count: integer('count', 1, seeds - firstSeed), workers: integer('workers', 1, 256) };
}

function refuse(problem: string): never {
  console.error(`export-data: ${problem}.`);
  process.exit(2);
}

function runWorker(share: Share): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: share });
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
}

async function exportData(): Promise<void> {
  const { split, count, firstSeed, out, workers } = readCommandLine();
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'images.u8'), '');
  const perWorker = Math.ceil(count / workers);
  const shares: Share[] = [];
  for (let firstIndex = 0; firstIndex < count; firstIndex += perWorker) {
    const linesFile = join(out, `samples.${shares.length}.part`);
    shares.push({ split, firstSeed, firstIndex, count: Math.min(perWorker, count - firstIndex), out, linesFile });
  }
  await Promise.all(shares.map(runWorker));
  const samples = join(out, 'samples.jsonl');
  writeFileSync(samples, '');
  for (const { linesFile } of shares) {
    await pipeline(createReadStream(linesFile), createWriteStream(samples, { flags: 'a' }));
    rmSync(linesFile);
  }
  console.log(`${count} cases of ${split} from seed ${firstSeed} in ${out}`);
}

if (isMainThread) await exportData();
else writeShare(workerData as Share);
