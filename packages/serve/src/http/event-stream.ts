// Server-sent events over one response: comments while there is nothing to say, so that proxies keep the line open;
// a slow reader is waited for, and given up on when it stops reading.

import type { ServerResponse } from 'node:http';

/** Times of a stream. */
export interface EventStreamOptions {
  /** Silence after which a comment is sent. */
  readonly pingMilliseconds: number;
  /** How long a full connection may stay full before it is dropped. */
  readonly stallMilliseconds: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** An open stream of events. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #options: EventStreamOptions;
  readonly #ping: NodeJS.Timeout;

  constructor(response: ServerResponse, options: EventStreamOptions) {
    this.#response = response;
    this.#options = options;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      ...options.headers,
    });
    response.flushHeaders();
    this.#ping = setInterval(() => {
      if (!response.writableNeedDrain && !response.destroyed) response.write(': ping\n\n');
    }, options.pingMilliseconds);
    response.once('close', () => clearInterval(this.#ping));
  }

  /** Sends one event; resolves when the connection takes more. JSON has no line breaks, so one `data:` line is enough. */
  async send(data: unknown, event?: string): Promise<void> {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    await this.#write(`${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`);
    this.#ping.refresh();
  }

  end(): void {
    clearInterval(this.#ping);
    this.#response.end();
  }

  async #write(text: string): Promise<void> {
    const response = this.#response;
    if (response.destroyed || response.write(text)) return;
    await new Promise<void>((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        response.off('drain', settle);
        response.off('close', settle);
        resolve();
      };
      const timer = setTimeout(() => response.destroy(), this.#options.stallMilliseconds);
      response.once('drain', settle);
      response.once('close', settle);
    });
  }
}
