// Ends a server. Idle connections of clients that keep them open would otherwise hold it for as long as they like.

import type { FastifyInstance } from 'fastify';

/**
 * Closes `app`; connections that are still open after `graceMilliseconds` are cut. Drain the engine first: then every
 * answer has been written.
 */
export async function closeServer(app: FastifyInstance, graceMilliseconds = 1000): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), graceMilliseconds);
  await app.close();
  clearTimeout(timer);
}
