import { describe, expect, test } from 'vitest';

import { DisposedError } from './errors/disposed-error.js';
import { NativeHandle } from './native-handle.js';

class Handle extends NativeHandle {
  constructor(readonly released: number[]) {
    super('stand-in handle', 7, (handle) => released.push(handle));
  }

  use(work: Promise<void>): Promise<void> {
    return this.keepWhile(work);
  }
}

describe('NativeHandle', () => {
  test('is released once, however often it is disposed', () => {
    const released: number[] = [];
    const handle = new Handle(released);
    expect(handle.handle).toBe(7);
    handle.dispose();
    handle.dispose();
    expect(released).toEqual([7]);
  });

  test('is released at the end of a using block', () => {
    const released: number[] = [];
    {
      using handle = new Handle(released);
      expect(handle.isDisposed).toBe(false);
    }
    expect(released).toEqual([7]);
  });

  test('throws DisposedError with its name afterwards', () => {
    const handle = new Handle([]);
    handle.dispose();
    expect(() => handle.handle).toThrow(DisposedError);
    expect(() => handle.handle).toThrow('stand-in handle');
  });

  test('waits for the work of another thread before it is released', async () => {
    const released: number[] = [];
    const handle = new Handle(released);
    let finish = () => {};
    const used = handle.use(new Promise((resolve) => (finish = resolve)));
    handle.dispose();
    expect(() => handle.handle).toThrow(DisposedError);
    expect(released).toEqual([]);
    finish();
    await used;
    expect(released).toEqual([7]);
  });

  test('is released when that work fails', async () => {
    const released: number[] = [];
    const handle = new Handle(released);
    const used = handle.use(Promise.reject(new DisposedError('something else')));
    handle.dispose();
    await expect(used).rejects.toThrow('something else');
    expect(released).toEqual([7]);
  });
});
