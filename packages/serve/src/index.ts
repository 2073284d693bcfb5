// Public exports of @limen/serve.

export type {
  ChatRequest,
  DrawEvent,
  DrawRequest,
  Engine,
  EngineState,
  ModelFacts,
  SamplingRequest,
} from './engine/engine.js';
export { JobQueue, type JobQueueStatistics, type Work } from './engine/job-queue.js';
export type { ServableModel } from './engine/model-contract.js';
export { SequentialEngine, type SequentialEngineOptions } from './engine/sequential-engine.js';
export { EngineClosedError, type EngineClosedCode } from './errors/engine-closed-error.js';
export { QueueFullError } from './errors/queue-full-error.js';
export { RequestError, type RequestErrorFacts } from './errors/request-error.js';
export { closeServer } from './http/close-server.js';
export { createServer, type ServerOptions } from './http/create-server.js';
export { validateChatRequest, type ValidChatRequest } from './requests/chat-request.js';
export { type ImageFormat, validateImageRequest, type ValidImageRequest } from './requests/image-request.js';
export { limits } from './requests/limits.js';
