import { describe, expect, it } from 'vitest';

import { QueueFullError } from '../errors/queue-full-error.js';
import { gate, nextTurn } from '../testing/fake-model.js';
import { JobQueue } from './job-queue.js';

describe('JobQueue', () => {
  it('runs one job at a time, in the order of arrival', async () => {
    const queue = new JobQueue();
    const order: string[] = [];
    let together = 0;
    const work = (name: string) => async () => {
      together++;
      expect(together).toBe(1);
      await nextTurn();
      together--;
      order.push(name);
    };
    await Promise.all(['first', 'second', 'third'].map((name) => queue.submit(work(name))));
    expect(order).toEqual(['first', 'second', 'third']);
  });

  it('goes on with the next job when one fails', async () => {
    const queue = new JobQueue();
    const failing = queue.submit(() => Promise.reject(new Error('no')));
    const next = queue.submit(() => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
    expect(queue.statistics).toMatchObject({ completed: 1, failed: 1, running: 0, waiting: 0 });
  });

  it('refuses at once what it has no room for, and takes work again when there is room', async () => {
    const queue = new JobQueue({ maxWaiting: 1 });
    const { opened, open } = gate();
    const running = queue.submit(() => opened);
    const waiting = queue.submit(() => Promise.resolve());
    expect(() => queue.submit(() => Promise.resolve())).toThrow(QueueFullError);
    expect(queue.statistics).toMatchObject({ running: 1, waiting: 1, refused: 1 });
    open();
    await Promise.all([running, waiting]);
    await expect(queue.submit(() => Promise.resolve(3))).resolves.toBe(3);
  });

  it('accepts one job with no room for waiting', async () => {
    const queue = new JobQueue({ maxWaiting: 0 });
    const { opened, open } = gate();
    const running = queue.submit(() => opened);
    expect(() => queue.submit(() => Promise.resolve())).toThrow(QueueFullError);
    open();
    await running;
  });

  it('never starts a job that is cancelled while it waits, and keeps its place for nobody', async () => {
    const queue = new JobQueue({ maxWaiting: 1 });
    const { opened, open } = gate();
    const running = queue.submit(() => opened);
    const controller = new AbortController();
    let started = false;
    const cancelled = queue.submit(() => Promise.resolve((started = true)), controller.signal);
    controller.abort();
    await expect(cancelled).rejects.toHaveProperty('name', 'AbortError');
    const replacement = queue.submit(() => Promise.resolve('ran'));
    open();
    await running;
    expect(await replacement).toBe('ran');
    expect(started).toBe(false);
    expect(queue.statistics.cancelled).toBe(1);
  });

  it('refuses to start work whose signal has fired before', async () => {
    const queue = new JobQueue();
    await expect(queue.submit(() => Promise.resolve(1), AbortSignal.abort())).rejects.toHaveProperty(
      'name',
      'AbortError',
    );
    expect(queue.statistics).toMatchObject({ cancelled: 1, completed: 0, waiting: 0, running: 0 });
  });

  it('lets running work end by itself before the next one starts', async () => {
    const queue = new JobQueue();
    const controller = new AbortController();
    const { opened, open } = gate();
    let nextStarted = false;
    const running = queue.submit(async (signal) => {
      await opened;
      signal.throwIfAborted();
    }, controller.signal);
    const next = queue.submit(async () => void (nextStarted = true));
    controller.abort();
    await nextTurn();
    expect(nextStarted).toBe(false);
    open();
    await expect(running).rejects.toHaveProperty('name', 'AbortError');
    await next;
    expect(nextStarted).toBe(true);
  });

  it('is idle when the last job has ended', async () => {
    const queue = new JobQueue();
    const { opened, open } = gate();
    let idle = false;
    await queue.idle();
    const job = queue.submit(() => opened);
    const waiting = queue.idle().then(() => (idle = true));
    await nextTurn();
    expect(idle).toBe(false);
    open();
    await Promise.all([job, waiting]);
    expect(idle).toBe(true);
  });

  it('suggests a whole number of seconds between 1 and 60 to wait', async () => {
    const queue = new JobQueue({ maxWaiting: 0 });
    await queue.submit(nextTurn);
    const { opened, open } = gate();
    const running = queue.submit(() => opened);
    try {
      await queue.submit(nextTurn);
      expect.unreachable();
    } catch (error) {
      expect((error as QueueFullError).retryAfterSeconds).toBe(1);
    }
    open();
    await running;
  });
});
