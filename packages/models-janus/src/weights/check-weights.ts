// Compares a checkpoint with the tensors a model asks for, before any is read.

import type { TensorSource } from '@limen/tensor';

import {
  CheckpointMismatchError,
  type CheckpointProblems,
  type WrongShape,
} from '../errors/checkpoint-mismatch-error.js';

/**
 * Collects everything in which `source` differs from `expected`.
 *
 * @param expected - name → shape of every tensor the model reads
 * @param isOptional - names that may be there without being read
 */
export function collectProblems(
  source: TensorSource,
  expected: ReadonlyMap<string, readonly number[]>,
  isOptional: (name: string) => boolean = () => false,
): CheckpointProblems {
  const missing: string[] = [];
  const wrongShape: WrongShape[] = [];
  for (const [name, shape] of expected) {
    if (!source.has(name)) missing.push(name);
    else {
      const got = source.info(name).shape;
      if (got.length !== shape.length || got.some((extent, axis) => extent !== shape[axis]))
        wrongShape.push({ name, expected: shape, got });
    }
  }
  const unexpected = source.names().filter((name) => !expected.has(name) && !isOptional(name));
  return { missing, unexpected, wrongShape };
}

/**
 * Checks a Janus-Pro checkpoint in transformers names; the image encoder, which only training needs, is optional.
 *
 * @param where - the checkpoint's folder, for the error
 * @throws {CheckpointMismatchError} one error with every difference
 */
export function checkJanusWeights(
  source: TensorSource,
  expected: ReadonlyMap<string, readonly number[]>,
  where: string,
): void {
  const problems = collectProblems(source, expected, isUnusedJanusWeight);
  if (problems.missing.length + problems.unexpected.length + problems.wrongShape.length > 0) {
    throw new CheckpointMismatchError(where, problems);
  }
}

/** Whether a tensor (transformers name) belongs to the image encoder, which turns pictures into codes: training only. */
export function isUnusedJanusWeight(name: string): boolean {
  return name.startsWith('model.vqmodel.encoder.') || name.startsWith('model.vqmodel.quant_conv.');
}
