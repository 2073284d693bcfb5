// A small vocabulary for the shape of a request. A field turns an unknown value into a typed one or throws a RequestError
// that names it. Reading copies what is known; anything else in the request is ignored and goes nowhere.

import { RequestError } from '../errors/request-error.js';

/** Reads the value found at `path`; `undefined` stands for an absent one. */
export type Field<T> = (value: unknown, path: string) => T;

type Shape = Record<string, Field<unknown>>;
type Read<S extends Shape> = { [K in keyof S]: S[K] extends Field<infer T> ? T : never };

/** What a value is, in words that are safe to send back. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'string')
    return value.length <= 40 ? JSON.stringify(value) : `a text of ${value.length} characters`;
  return typeof value === 'object' ? 'an object' : String(value);
}

/** The error for a value that is not what it should be. */
export function unexpected(path: string, problem: string, expected: string, value: unknown, advice = ''): RequestError {
  const text = `${path} ${problem}: expected ${expected}, got ${describeValue(value)}.`;
  return new RequestError(advice === '' ? text : `${text} ${advice}`, { param: path, code: 'invalid_value' });
}

export function number({ min, max, above }: { min?: number; max: number; above?: number }): Field<number> {
  const from = above === undefined ? `from ${min ?? 0}` : `above ${above},`;
  const fits = (value: number) => (above === undefined ? value >= (min ?? 0) : value > above) && value <= max;
  return (value, path) => {
    const expected = `a number ${from} to ${max}`;
    if (typeof value !== 'number') throw unexpected(path, 'has the wrong type', expected, value);
    if (!fits(value)) throw unexpected(path, 'is out of range', expected, value);
    return value;
  };
}

export function integer({ min, max }: { min: number; max: number }): Field<number> {
  return (value, path) => {
    const expected = min === max ? `${min}` : `an integer from ${min} to ${max}`;
    if (typeof value !== 'number') throw unexpected(path, 'has the wrong type', expected, value);
    if (!Number.isInteger(value)) throw unexpected(path, 'is not an integer', expected, value);
    if (value < min || value > max) throw unexpected(path, 'is out of range', expected, value);
    return value;
  };
}

export function text({ min = 0, max }: { min?: number; max: number }): Field<string> {
  return (value, path) => {
    if (typeof value !== 'string') throw unexpected(path, 'has the wrong type', 'a text', value);
    if (value.length < min) throw unexpected(path, 'is empty', `at least ${min} character`, value);
    if (value.length > max) throw unexpected(path, 'is too long', `at most ${max} characters`, value);
    return value;
  };
}

export const boolean: Field<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw unexpected(path, 'has the wrong type', 'true or false', value);
  return value;
};

export function oneOf<const T extends string>(choices: readonly T[], advice = ''): Field<T> {
  return (value, path) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined)
      throw unexpected(path, 'is not supported', choices.map((name) => `"${name}"`).join(' or '), value, advice);
    return choice;
  };
}

export function list<T>(item: Field<T>, { min = 0, max }: { min?: number; max: number }): Field<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw unexpected(path, 'has the wrong type', 'an array', value);
    if (value.length < min) throw unexpected(path, 'is too short', `at least ${min}`, value);
    if (value.length > max) throw unexpected(path, 'is too long', `at most ${max}`, value);
    return value.map((entry, index) => item(entry, `${path}[${index}]`));
  };
}

/** An object of known fields; unknown ones are ignored. The outermost object has the path `''`. */
export function object<S extends Shape>(shape: S): Field<Read<S>> {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw unexpected(path === '' ? 'body' : path, 'has the wrong type', 'an object', value);
    }
    const entries = Object.entries(shape).map(([name, field]) => {
      // Own fields only: `constructor` and its kin are never read from the prototype.
      const found = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
      return [name, field(found, path === '' ? name : `${path}.${name}`)];
    });
    return Object.fromEntries(entries) as Read<S>;
  };
}

/** Absent and `null` are the same, as in OpenAI's API. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return (value, path) => (value === undefined || value === null ? undefined : field(value, path));
}

/** A known field that is not implemented: values that change nothing pass, others are refused rather than ignored. */
export function unsupported(...neutral: readonly unknown[]): Field<undefined> {
  const allowed = new Set([undefined, null, ...neutral]);
  return (value, path) => {
    const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
    if (allowed.has(value) || isEmpty) return undefined;
    throw new RequestError(`${path} is not supported by this server: got ${describeValue(value)}. Leave it out.`, {
      param: path,
      code: 'unsupported_parameter',
    });
  };
}
