// Public exports of @limen/models-janus.

export { DecodeState } from './generation/decode-state.js';
export { generateImageCodes, type ImageGeneration, imageStep } from './generation/generate-images.js';
export { type DrawnToken, generateText, prefill, type TextGeneration, textStep } from './generation/generate-text.js';
export { PromptBatch } from './generation/prompt-batch.js';
export { type ResolvedSampling, resolveSampling, type SamplingOptions } from './generation/sampling-options.js';
export { runEagerly, type StepRunner, type StepRunnerFactory } from './generation/step-runner.js';
export type { ImageCodeConfig, JanusConfig, TextConfig, TokenConfig, VisionConfig } from './janus-pro/config-types.js';
export { JanusPro } from './janus-pro/janus-pro.js';
export { expectedTensors, loadJanus, type LoadedJanus, type LoadOptions, type LoadProgress } from './janus-pro/load-janus.js';
export { janusProConfigs } from './janus-pro/published-configs.js';
export {
  type ChatMessage,
  type ChatRequest,
  type ContentPart,
  type DescribeRequest,
  type DrawOptions,
  type ImageInput,
  JanusModel,
  loadModel,
  type TextChunk,
  type TextOptions,
} from './janus-model.js';
export { CheckpointLoader } from './weights/checkpoint-loader.js';
export type { Quantization } from './weights/layer-loader.js';
export { RandomLoader } from './weights/random-loader.js';
export { type DrawnImage, encodeImage, type EncodeImageOptions } from './image/encode-image.js';
export { loadImage } from './image/decode-image.js';
export type { RgbImage } from './image/rgb-image.js';
