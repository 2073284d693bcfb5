// docs/accuracy.md says what the cases files say: every op is in its table, with its tolerances.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

import { repositoryRoot } from './lib/repository.mjs';

interface Cases {
  readonly op: { readonly declaration: { readonly name: string; readonly dtypes: readonly string[] } };
  readonly tolerance: Readonly<Record<string, number>>;
}

const types = ['f32', 'f16', 'bf16'] as const;
const page = readFileSync(join(repositoryRoot, 'docs', 'accuracy.md'), 'utf8');
const rows = page.split('\n').filter((line) => /^\| +`\w+`/.test(line));
const stated = new Map<string, string[]>();
for (const row of rows) {
  const [names = '', ...cells] = row.split('|').slice(1, -1);
  for (const [, name = ''] of names.matchAll(/`(\w+)`/g))
    stated.set(
      name,
      cells.map((cell) => cell.trim()),
    );
}

const files = ['tensor', 'kv-cache', 'quant', 'models-janus'].flatMap((name) => {
  const folder = join(repositoryRoot, 'packages', name, 'src', 'ops');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.cases.ts'))
    .map((file) => join(folder, file));
});

describe('the accuracy page', () => {
  it.each(files)('states the tolerances of %s', async (file) => {
    const { default: cases } = (await import(pathToFileURL(file).href)) as { default: Cases };
    const { name, dtypes } = cases.op.declaration;
    const cells = stated.get(name);
    expect(cells, `${name} is in no row`).toBeDefined();
    for (const [column, type] of types.entries()) {
      const tolerance = cases.tolerance[type] ?? 0;
      const cell = cells?.[column] ?? '';
      if (cell === '–') expect(dtypes, `${name} has a tolerance in ${type}`).not.toContain(type);
      else expect(cell === 'equal' ? 0 : Number(cell), `${name} in ${type}`).toBe(tolerance);
    }
  });

  it('has a row for each of them', () => {
    expect(stated.size).toBe(files.length);
  });
});
