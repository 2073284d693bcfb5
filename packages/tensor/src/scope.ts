// Disposes what a block made, except what it returns.

import { Tensor } from './tensor.js';

/** Collects disposables and disposes them in reverse order. Node 20 has no DisposableStack. */
export class Scope implements Disposable {
  readonly #members: Disposable[] = [];

  /** Hands something to the scope, and back to the caller to use. */
  own<T extends Disposable>(member: T): T {
    this.#members.push(member);
    return member;
  }

  /** Takes something out of the scope: the caller disposes it from now on. */
  release<T extends Disposable>(member: T): T {
    const index = this.#members.lastIndexOf(member);
    if (index >= 0) this.#members.splice(index, 1);
    return member;
  }

  [Symbol.dispose](): void {
    for (let member = this.#members.pop(); member !== undefined; member = this.#members.pop()) member[Symbol.dispose]();
  }
}

/** Runs `block` with a scope; everything it owned is disposed, the returned tensor is not. */
export function scoped<T extends Tensor | Tensor[] | undefined>(block: (scope: Scope) => T): T {
  using scope = new Scope();
  const result = block(scope);
  for (const tensor of Array.isArray(result) ? result : [result]) if (tensor instanceof Tensor) scope.release(tensor);
  return result;
}
