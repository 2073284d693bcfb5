// Promises that are started early and awaited late.

/** A promise that may be left behind when something else fails first: its own failure then concerns nobody. */
export function quietly<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}
