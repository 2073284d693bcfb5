import type { ModelFacts } from '../engine/engine.js';
import { RequestError } from '../errors/request-error.js';
import { describeValue } from './fields.js';

/**
 * A request may name the model that is loaded, or none.
 *
 * @throws {RequestError} 404 `model_not_found`
 */
export function requireModel(name: string | undefined, model: ModelFacts): void {
  if (name === undefined || name === model.name) return;
  throw new RequestError(
    `model does not exist: expected "${model.name}", got ${describeValue(name)}. GET /v1/models lists what is loaded.`,
    {
      status: 404,
      param: 'model',
      code: 'model_not_found',
    },
  );
}
