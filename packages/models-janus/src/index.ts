// Public exports of @limen/models-janus.

export { cacheFor, type CacheOptions, type ResolvedCacheOptions } from './generation/cache-options.js';
export { DecodeState } from './generation/decode-state.js';
export { generateImageCodes, type ImageGeneration, imageStep } from './generation/generate-images.js';
export { type DrawnToken, generateText, prefill, type TextGeneration, textStep } from './generation/generate-text.js';
export { PromptBatch } from './generation/prompt-batch.js';
export { type ResolvedSampling, resolveSampling, type SamplingOptions } from './generation/sampling-options.js';
export { runEagerly, type StepRunner, type StepRunnerFactory } from './generation/step-runner.js';
export type { ImageCodeConfig, JanusConfig, TextConfig, TokenConfig, VisionConfig } from './janus-pro/config-types.js';
export { JanusPro } from './janus-pro/janus-pro.js';
export {
  expectedTensors,
  loadJanus,
  type LoadedJanus,
  type LoadOptions,
  type LoadProgress,
} from './janus-pro/load-janus.js';
export { janusProConfigs } from './janus-pro/published-configs.js';
export {
  type ChatAnswer,
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
export type { Quantization } from './weights/weight-loader.js';
export { RandomLoader } from './weights/random-loader.js';
export { type DrawnImage, encodeImage, type EncodeImageOptions } from './image/encode-image.js';
export { loadImage } from './image/decode-image.js';
export type { RgbImage } from './image/rgb-image.js';
export { decodeImage, type ImageFormat, imageFormatOf, imageLimits } from './image/decode-image.js';
export { ImageProcessor } from './image/image-processor.js';
export { resizeBicubic } from './image/bicubic.js';
export { ChatTemplateError } from './errors/chat-template-error.js';
export { CheckpointMismatchError } from './errors/checkpoint-mismatch-error.js';
export { ConfigError } from './errors/config-error.js';
export { ImageError } from './errors/image-error.js';
export { PromptError } from './errors/prompt-error.js';
export { PromptTooLongError } from './errors/prompt-too-long-error.js';
export { TokenizerError } from './errors/tokenizer-error.js';
export { TorchFileError } from './errors/torch-file-error.js';
export { UnsafePickleError } from './errors/unsafe-pickle-error.js';
export { ChatTemplate, findChatTemplate } from './janus-pro/chat-template.js';
export { readJanusConfig } from './janus-pro/config.js';
export {
  conversationPieces,
  conversationPrompt,
  drawingPieces,
  drawingPrompt,
  encodePieces,
  expandImages,
  unconditionalIds,
} from './janus-pro/prompt.js';
export { resolveCheckpoint } from './janus-pro/resolve-checkpoint.js';
export { janusTokens } from './janus-pro/special-tokens.js';
export { StopStrings } from './tokenizer/stop-strings.js';
export { TextStream } from './tokenizer/text-stream.js';
export { Tokenizer } from './tokenizer/tokenizer.js';
export { checkJanusWeights } from './weights/check-weights.js';
export { openTorchCheckpoint } from './weights/pickle/torch-checkpoint.js';
export { janusWeights } from './weights/weight-names.js';
