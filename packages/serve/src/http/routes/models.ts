// GET /v1/models and /v1/models/:id.

import type { FastifyInstance } from 'fastify';

import type { Engine } from '../../engine/engine.js';
import { requireModel } from '../../requests/require-model.js';

export function models(app: FastifyInstance, engine: Engine): void {
  const created = Math.floor(Date.now() / 1000);
  const { name, contextLength, imageSize } = engine.model;
  const model = {
    id: name,
    object: 'model',
    created,
    owned_by: 'limen',
    context_length: contextLength,
    image_size: imageSize,
  };
  app.get('/v1/models', () => ({ object: 'list', data: [model] }));
  app.get<{ Params: { id: string } }>('/v1/models/:id', ({ params }) => {
    requireModel(params.id, engine.model);
    return model;
  });
}
