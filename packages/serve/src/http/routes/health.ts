// Health of the process and of the engine, for orchestrators and for people. Needs no key and tells nothing private.

import type { FastifyInstance } from 'fastify';

import type { Engine } from '../../engine/engine.js';

export const healthRoutes = ['/health', '/health/live', '/health/ready'] as const;

export function health(app: FastifyInstance, engine: Engine): void {
  const [summary, live, ready] = healthRoutes;
  app.get(live, () => ({ status: 'live' }));
  app.get(ready, async (_request, reply) => {
    if (engine.state !== 'ready') void reply.code(503);
    return { status: engine.state };
  });
  app.get(summary, async (_request, reply) => {
    if (engine.state !== 'ready') void reply.code(503);
    const { waiting, running, maxWaiting, completed, failed, cancelled, refused } = engine.statistics;
    return {
      status: engine.state,
      model: engine.model.name,
      device: engine.model.device,
      uptimeSeconds: Math.floor(process.uptime()),
      queue: { waiting, running, maxWaiting, completed, failed, cancelled, refused },
    };
  });
}
