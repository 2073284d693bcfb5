// From a folder to a network: find the files, check every tensor against the configuration, then build.

import { basename } from 'node:path';

import { type DType, InvalidArgumentError, openCheckpoint, parseDevice, UnsupportedDTypeError } from '@limen/tensor';

import {
  type CacheOptions,
  checkCacheOptions,
  type ResolvedCacheOptions,
  resolveCacheOptions,
} from '../generation/cache-options.js';
import type { StepRunnerFactory } from '../generation/step-runner.js';
import { ImageProcessor } from '../image/image-processor.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';
import { checkJanusWeights } from '../weights/check-weights.js';
import { CheckpointLoader } from '../weights/checkpoint-loader.js';
import type { Quantization } from '../weights/weight-loader.js';
import { NameRecorder } from '../weights/name-recorder.js';
import { openTorchCheckpoint } from '../weights/pickle/torch-checkpoint.js';
import { janusWeights } from '../weights/weight-names.js';
import { readJanusConfig } from './config.js';
import { readJsonFile } from './config-fields.js';
import type { JanusConfig } from './config-types.js';
import { JanusPro } from './janus-pro.js';
import { resolveCheckpoint } from './resolve-checkpoint.js';

/** What loading reports, in the shape of transformers.js' progress events. */
export interface LoadProgress {
  readonly status: 'initiate' | 'progress' | 'done' | 'ready';
  /** Tensor that was just loaded, or the folder. */
  readonly name: string;
  /** Bytes of the checkpoint. */
  readonly loaded: number;
  readonly total: number;
}

/** How to load a model. */
export interface LoadOptions {
  /** What the model is called; default: the name of its folder. */
  readonly name?: string;
  /** `'cpu'` (default), `'cuda'`, `'cuda:N'`. */
  readonly device?: string;
  /** Type of weights and activations; `'auto'` (default): bf16 on a GPU, f32 on a CPU. */
  readonly dtype?: 'auto' | DType;
  /** Storage of the decoder's projections; default `'none'`. */
  readonly quantization?: Quantization;
  /** How keys and values are kept while tokens are made; default: in the type of the model. */
  readonly cache?: CacheOptions;
  /** How decode steps run; default: eagerly. Pass `stepRunner` of @limen/graph-runtime to capture them. */
  readonly stepRunner?: StepRunnerFactory;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

/** The parts of a loaded model. */
export interface LoadedJanus {
  readonly name: string;
  readonly network: JanusPro;
  readonly tokenizer: Tokenizer;
  readonly imageProcessor: ImageProcessor;
  /** Weight of the prompt in drawings that the checkpoint recommends. */
  readonly guidance: number;
  readonly cache: ResolvedCacheOptions;
}

/** Names and shapes of every tensor that a configuration asks for. */
export function expectedTensors(config: JanusConfig): ReadonlyMap<string, readonly number[]> {
  const recorder = new NameRecorder();
  new JanusPro(recorder, config)[Symbol.dispose]();
  return recorder.expected;
}

/**
 * Loads a Janus-Pro checkpoint: transformers format, or the original DeepSeek names (`.bin` pickles included).
 *
 * @param folder - holds weights, config.json and tokenizer.json; the latter two may lie in its parent
 * @throws {ConfigError} a file is missing, or the configuration cannot be used
 * @throws {CheckpointMismatchError} tensors are missing, unexpected or of the wrong shape: all in one list
 * @throws {CheckpointError | SafetensorsError | UnsafePickleError} a file of weights is damaged
 * @throws {DeviceNotAvailableError | OutOfMemoryError} the device cannot take it; what was loaded is freed
 * @throws {UnknownDeviceError | UnsupportedDTypeError | InvalidArgumentError} an option that does not exist
 * @throws the signal's reason, when it aborts; what was loaded is freed
 */
export function loadJanus(folder: string, options: LoadOptions = {}): LoadedJanus {
  const { device = 'cpu', dtype = 'auto', quantization = 'none', cache = {}, onProgress, signal } = options;
  requireOptions(device, dtype, quantization);
  checkCacheOptions('loadModel', cache);
  signal?.throwIfAborted();
  const files = resolveCheckpoint(folder);
  const tokenizer = Tokenizer.load(files);
  const config = readJanusConfig(readJsonFile(files.config), {
    file: files.config,
    tokenId: (text) => tokenizer.tokenId(text),
  });
  const imageProcessor = ImageProcessor.load(files.preprocessor, config.vision.imageSize);
  using source = janusWeights(openCheckpoint(files.weights, { openPickle: openTorchCheckpoint }));
  const expected = expectedTensors(config);
  checkJanusWeights(source, expected, files.weights);
  const total = [...expected.keys()].reduce((sum, name) => sum + source.info(name).byteLength, 0);
  onProgress?.({ status: 'initiate', name: folder, loaded: 0, total });
  const type = dtype === 'auto' ? (device === 'cpu' ? 'f32' : 'bf16') : dtype;
  const kept = resolveCacheOptions({ config, dtype: type }, cache);
  const loader = new CheckpointLoader(source, device, type, quantization, (name, loaded) => {
    signal?.throwIfAborted();
    onProgress?.({ status: 'progress', name, loaded, total });
  });
  try {
    const network = new JanusPro(loader, config);
    onProgress?.({ status: 'done', name: folder, loaded: total, total });
    return {
      name: options.name ?? basename(folder),
      network,
      tokenizer,
      imageProcessor,
      guidance: readGuidance(files.generationConfig),
      cache: kept,
    };
  } catch (error) {
    loader.abandon();
    throw error;
  }
}

/** `guidance_scale` of generation_config.json; 5 where there is none. */
function readGuidance(path: string | undefined): number {
  const settings = path === undefined ? undefined : (readJsonFile(path) as { guidance_scale?: unknown } | null);
  const guidance = settings?.guidance_scale;
  return typeof guidance === 'number' && guidance >= 0 && guidance <= 100 ? guidance : 5;
}

const weightTypes: readonly unknown[] = ['auto', 'f32', 'f16', 'bf16'];
const quantizations: readonly unknown[] = ['none', 'int8'];

// Before any file is read: a typing mistake should not cost the time of a large checkpoint.
function requireOptions(device: string, dtype: unknown, quantization: unknown): void {
  parseDevice(device);
  if (!weightTypes.includes(dtype)) {
    throw new UnsupportedDTypeError(
      `loadModel: dtype is not allowed: expected ${weightTypes.join(' | ')}, got ${String(dtype)}. ` +
        "Choose one of these; for smaller weights use quantization: 'int8'.",
      { option: 'dtype', got: dtype },
    );
  }
  if (!quantizations.includes(quantization)) {
    throw new InvalidArgumentError(
      `loadModel: quantization is not allowed: expected ${quantizations.join(' | ')}, got ${String(quantization)}. Choose one of these.`,
      { option: 'quantization', got: quantization },
    );
  }
}
