// Puts the figures of the programs in benchmarks/rivals beside ours.

import { readFileSync } from 'node:fs';

import type { Measurement, Rival } from './report.js';

interface RivalRow {
  readonly section?: string;
  readonly case?: string;
  readonly B?: number;
  readonly prompt?: number;
  readonly 'ms/step'?: number;
  readonly 'tok/s'?: number;
  readonly steps?: number;
  /** Of torch_kv.py, which writes our own ids and units; `*` stands for any one part of an id. */
  readonly id?: string;
  readonly name?: string;
  readonly median?: number;
}

/** Ids that a rival's row is comparable with, and its figure in the unit of that id. */
function comparable(row: RivalRow): { id: RegExp; rival: Rival }[] {
  if (row.id !== undefined) {
    const parts = row.id.split('/').map((part) => (part === '*' ? '[^/]+' : part.replaceAll('.', '\\.')));
    // Pages in another order of axes, the last part of an id, do the same work.
    const id = new RegExp(`^${parts.join('/')}(/hnd)?$`);
    return [{ id, rival: { name: row.name ?? 'unnamed', median: row.median ?? NaN } }];
  }
  const milliseconds = row['ms/step'] ?? NaN;
  const tokens = row['tok/s'] ?? NaN;
  const decodeId = new RegExp(`^decode/janus-pro-7b/[a-z0-9]+/b${row.B}/c${row.prompt}(/|$)`);
  switch (`${row.section}: ${row.case}`) {
    case 'gen: generate eager':
      return [{ id: decodeId, rival: { name: 'transformers generate, eager bf16', median: tokens } }];
    case 'static: compiled decode':
      return [{ id: decodeId, rival: { name: 'transformers StaticCache + torch.compile, bf16', median: tokens } }];
    case 'prefill: 640 tokens, 1 image':
      return [{ id: /^prefill\/.*\/t640i1$/, rival: { name: 'transformers', median: milliseconds } }];
    case 'prefill: 640 text tokens':
      return [{ id: /^prefill\/.*\/t640i0$/, rival: { name: 'transformers', median: milliseconds } }];
    case 'prefill: 8 x 1024 text tokens':
      return [{ id: /^prefill\/.*\/b8\/t1024i0$/, rival: { name: 'transformers', median: milliseconds } }];
    case 'prefill: tower + aligner':
      return [{ id: /^tower\//, rival: { name: 'transformers', median: milliseconds } }];
    case 'image: VQ decode':
      return [{ id: /^image-decoder\//, rival: { name: 'transformers', median: milliseconds } }];
    case 'image: CFG 5, eager loop':
      return [
        {
          id: new RegExp(`^draw/.*/n${row.B}$`),
          rival: { name: 'transformers, eager, codes only', median: (milliseconds * (row.steps ?? 0)) / 1000 },
        },
      ];
    default:
      return row.section === 'imgstatic' && Number.isFinite(milliseconds)
        ? [
            {
              id: new RegExp(`^draw/.*/n${row.B}$`),
              rival: {
                name: 'transformers StaticCache + torch.compile, codes only',
                median: (milliseconds * 576) / 1000,
              },
            },
          ]
        : [];
  }
}

/** Measurements with the rivals of a results file of one of these programs. */
export function addRivals(measurements: readonly Measurement[], path: string): Measurement[] {
  const { rows } = JSON.parse(readFileSync(path, 'utf8')) as { rows: RivalRow[] };
  const found = rows.flatMap(comparable).filter(({ rival }) => Number.isFinite(rival.median));
  return measurements.map((measurement) => ({
    ...measurement,
    rivals: [...measurement.rivals, ...found.filter(({ id }) => id.test(measurement.id)).map(({ rival }) => rival)],
  }));
}
