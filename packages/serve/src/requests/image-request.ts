// The body of POST /v1/images/generations: its shape, its limits, and what it asks of the engine.

import type { DrawRequest, ModelFacts } from '../engine/engine.js';
import { boolean, integer, number, object, oneOf, optional, text, unsupported } from './fields.js';
import { limits } from './limits.js';
import { requireModel } from './require-model.js';

/** File formats of drawn pictures. */
export type ImageFormat = 'png' | 'jpeg' | 'webp';

/** A request that may be run. */
export interface ValidImageRequest {
  readonly request: DrawRequest;
  readonly format: ImageFormat;
  /** 1 to 100, for JPEG and WebP. */
  readonly quality: number | undefined;
  readonly stream: boolean;
}

/**
 * Checks a request against the model and the limits.
 *
 * @throws {RequestError} the first field that is wrong, as `param`
 */
export function validateImageRequest(body: unknown, model: ModelFacts): ValidImageRequest {
  const fields = imageBody(model)(body, '');
  requireModel(fields.model, model);
  const stream = fields.stream ?? false;
  const request: DrawRequest = {
    prompt: fields.prompt,
    count: fields.n ?? 1,
    guidance: fields.guidance,
    temperature: fields.temperature,
    topK: fields.top_k,
    topP: fields.top_p,
    seed: fields.seed,
    previews: stream ? (fields.partial_images ?? 0) : 0,
  };
  const quality = fields.output_compression === undefined ? undefined : Math.max(1, fields.output_compression);
  return { request, format: fields.output_format ?? 'png', quality, stream };
}

function imageBody({ imageSize, contextLength }: ModelFacts) {
  const side = `${imageSize}x${imageSize}`;
  return object({
    model: optional(text({ max: 256 })),
    prompt: text({ min: 1, max: contextLength * limits.charactersPerToken }),
    n: optional(integer({ min: 1, max: limits.drawings })),
    size: optional(oneOf(['auto', side], `This model draws ${side} only.`)),
    response_format: optional(oneOf(['b64_json'])),
    output_format: optional(oneOf(['png', 'jpeg', 'webp'])),
    stream: optional(boolean),
    partial_images: optional(integer({ min: 0, max: limits.partialImages })),
    guidance: optional(number({ min: 0, max: limits.guidance })),
    temperature: optional(number({ min: 0, max: limits.temperature })),
    top_k: optional(integer({ min: 0, max: limits.topK })),
    top_p: optional(number({ above: 0, max: 1 })),
    seed: optional(integer({ min: 0, max: limits.seed })),
    quality: optional(oneOf(['auto', 'standard', 'medium'])),
    background: optional(oneOf(['auto', 'opaque'])),
    style: unsupported(),
    output_compression: optional(integer({ min: 0, max: 100 })),
  });
}
