// Loads the model that a command was asked to use, with progress on standard error.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

import type { JanusModel } from '@limen/models-janus';

import { type DefaultModel, defaultModel } from '../default-model.js';
import { ProgressBar } from '../terminal/progress-bar.js';
import type { ModelOptions } from './options.js';
import { selectDevice } from './select-device.js';

/**
 * The model, which the caller disposes.
 *
 * @throws {DeviceNotAvailableError} before anything is read
 * @throws what `loadModel` throws
 */
export async function openModel(options: ModelOptions): Promise<JanusModel> {
  const { device, note } = selectDevice(options.device);
  if (note !== undefined) console.error(note);
  const { folder, ...called } = await chosenModel(options.model);
  const [{ loadModel }, { stepRunner }] = await Promise.all([
    import('@limen/models-janus'),
    import('@limen/graph-runtime'),
  ]);
  const bar = new ProgressBar('Loading the model');
  try {
    const model = await loadModel(folder, {
      ...called,
      device,
      dtype: options.dtype,
      quantization: options.quantization,
      cache: { dtype: options.kv },
      stepRunner,
      onProgress: ({ loaded, total }) => bar.update(loaded, total),
    });
    const kept = model.cache.dtype === model.dtype ? '' : `, keys and values ${model.cache.dtype}`;
    bar.finish(`${model.name} (${model.device}, ${model.dtype}${kept})`);
    return model;
  } catch (error) {
    bar.clear();
    throw error;
  }
}

async function chosenModel(named: string | undefined): Promise<Pick<DefaultModel, 'folder'> & { name?: string }> {
  if (named !== undefined && named !== '') return { folder: existsSync(named) ? resolve(named) : named };
  const { janusTinyFolder } = await import('@limen/janus-tiny');
  const { name, folder, notice } = defaultModel(janusTinyFolder());
  console.error(notice);
  return { name, folder };
}
