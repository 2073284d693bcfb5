// Append and decode attention over pages, against what the memory can deliver; and what sharing a beginning saves.

import { type CacheDType, PagedCache, type PageLayout } from '@limen/kv-cache';
import { trimMemory } from '@limen/tensor';

import { type Sample, scale } from '../lib/measure.js';
import type { Rival } from '../lib/report.js';
import type { KvContext } from './context.js';
import {
  type AttentionShape,
  attentionShapes,
  chooseLayers,
  fillPages,
  growTogether,
  layerTokenBytes,
  timeStep,
  workingSet,
} from './decode-step.js';

const pageSize = 16;

/** One figure of the table. */
interface AttentionCase {
  readonly shape: AttentionShape;
  readonly format: CacheDType;
  readonly layout: PageLayout;
  readonly batch: number;
  readonly context: number;
}

/** Measures every shape, format, layout, batch and context asked for. */
export async function benchAttention(context: KvContext): Promise<void> {
  for (const one of casesOf(context))
    await context.attempt(`kv-attention/${nameOf(one)}`, () => measureCase(one, context));
}

/** The same where all sequences share the first half of their tokens, as answers to one long prompt do. */
export async function benchSharedPrefix(context: KvContext): Promise<void> {
  for (const one of casesOf(context))
    await context.attempt(`kv-shared/${nameOf(one)}`, () => measureShared(one, context));
}

function casesOf({ size, batches, contexts, formats, layouts }: KvContext): AttentionCase[] {
  return attentionShapes[size].flatMap((shape) =>
    batches.flatMap((batch) =>
      contexts.flatMap((context) =>
        formats.flatMap((format) => layouts.map((layout) => ({ shape, format, layout, batch, context }))),
      ),
    ),
  );
}

function nameOf({ shape, format, layout, batch, context }: AttentionCase): string {
  return `${shape.model}/${format}/b${batch}/c${context}${layout === 'NHD' ? '' : `/${layout.toLowerCase()}`}`;
}

/** A cache of `pages` pages, with as many layers as make the measurement honest. */
function createCache({ shape, format, layout }: AttentionCase, pages: number, { device, size }: KvContext): PagedCache {
  trimMemory(device);
  const { keyValueHeads, headSize } = shape;
  const layers = chooseLayers(shape.layers, pages * pageSize * layerTokenBytes(shape, format), workingSet[size]);
  return PagedCache.create({ layers, keyValueHeads, headSize, pageSize, dtype: format, layout, pages, device });
}

async function measureCase(one: AttentionCase, context: KvContext): Promise<void> {
  const { shape, format, batch, context: tokens } = one;
  using cache = createCache(one, batch * Math.ceil(tokens / pageSize), context);
  const sequences = Array.from({ length: batch }, () => cache.allocateSequence(0));
  growTogether(sequences, tokens, pageSize);
  using pageTable = cache.pageTable(sequences);
  fillPages(cache, pageTable, tokens);
  const microseconds = await timeStep(cache, shape, sequences, { runs: context.runs });
  const bytes = batch * tokens * layerTokenBytes(shape, format);
  await report('kv-attention', nameOf(one), { microseconds, bytes, layers: cache.shape.layers }, [], context);
}

async function measureShared(one: AttentionCase, context: KvContext): Promise<void> {
  const { shape, format, batch, context: tokens } = one;
  const prefixTokens = Math.floor(tokens / 2 / pageSize) * pageSize;
  const pages = (prefixTokens + batch * (tokens - prefixTokens)) / pageSize;
  using cache = createCache(one, Math.ceil(pages) + batch, context);
  const prompt = cache.allocateSequence(prefixTokens);
  const sequences = [prompt, ...Array.from({ length: batch - 1 }, () => prompt.fork())];
  growTogether(sequences, tokens, pageSize);
  using pageTable = cache.pageTable(sequences);
  fillPages(cache, pageTable, tokens);
  const { runs } = context;
  const separately = await timeStep(cache, shape, sequences, { runs });
  const microseconds = await timeStep(cache, shape, sequences, { runs, prefixTokens });
  const bytes = (prefixTokens + batch * (tokens - prefixTokens)) * layerTokenBytes(shape, format);
  const rival = { name: 'each sequence reads the shared pages itself', median: separately.median };
  await report('kv-shared', nameOf(one), { microseconds, bytes, layers: cache.shape.layers }, [rival], context);
}

async function report(
  benchmark: string,
  name: string,
  { microseconds, bytes, layers }: { readonly microseconds: Sample; readonly bytes: number; readonly layers: number },
  rivals: readonly Rival[],
  { ceilings, add }: KvContext,
): Promise<void> {
  const ceiling = (await ceilings()).read.median;
  const rate = scale(microseconds, (time) => (bytes * 1e6) / time);
  const share = scale(rate, (value) => value / ceiling);
  const terabytes = scale(rate, (value) => value / 1e12);
  const note = `${layers} layers of ${(bytes / 1e6).toFixed(1)} MB`;
  add({ id: `${benchmark}/${name}`, unit: 'share', ...share, floor: 1, rivals: [], note });
  add({ id: `${benchmark}-rate/${name}`, unit: 'TB/s', ...terabytes, floor: ceiling / 1e12, rivals: [] });
  add({ id: `${benchmark}-time/${name}`, unit: 'us', ...microseconds, floor: (bytes / ceiling) * 1e6, rivals });
}
