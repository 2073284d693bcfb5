// Reads fields of a JSON configuration one by one, with bounds on every number and an error that names the field.

import { readFileSync, statSync } from 'node:fs';

import { ConfigError, type ConfigErrorCode } from '../errors/config-error.js';

const largestFileBytes = 16 * 2 ** 20;

/** Inclusive bounds; a missing field takes `otherwise` if that is given. */
export interface NumberBounds {
  readonly least?: number;
  readonly most: number;
  readonly otherwise?: number;
}

/** One object of a configuration file. */
export class ConfigFields {
  private constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly file: string,
    private readonly path: string,
  ) {}

  /** @throws {ConfigError} the value is no object */
  static of(value: unknown, file: string): ConfigFields {
    if (isObject(value)) return new ConfigFields(value, file, '');
    throw new ConfigError('CONFIG_FILE_INVALID', `${file}: expected a JSON object, got ${kindOf(value)}.`, { file });
  }

  has(name: string): boolean {
    return this.values[name] !== undefined && this.values[name] !== null;
  }

  /** A nested object; `otherwise` empty when it may be absent. */
  object(name: string, required = true): ConfigFields {
    const value = this.values[name];
    if (isObject(value)) return new ConfigFields(value, this.file, this.pathOf(name));
    if (!this.has(name) && !required) return new ConfigFields({}, this.file, this.pathOf(name));
    return this.missingOrInvalid(name, 'an object');
  }

  integer(name: string, { least = 1, most, otherwise }: NumberBounds): number {
    const value = this.has(name) ? this.values[name] : otherwise;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    return this.missingOrInvalid(name, `an integer from ${least} to ${most}`);
  }

  number(name: string, { least = 0, most, otherwise }: NumberBounds): number {
    const value = this.has(name) ? this.values[name] : otherwise;
    if (typeof value === 'number' && Number.isFinite(value) && value >= least && value <= most) return value;
    return this.missingOrInvalid(name, `a number from ${least} to ${most}`);
  }

  text(name: string, otherwise?: string): string {
    const value = this.has(name) ? this.values[name] : otherwise;
    return typeof value === 'string' ? value : this.missingOrInvalid(name, 'a text');
  }

  integers(name: string, bounds: NumberBounds, longest: number): readonly number[] {
    const { least = 1, most } = bounds;
    const value = this.values[name];
    const good = (item: unknown): item is number =>
      typeof item === 'number' && Number.isInteger(item) && item >= least && item <= most;
    if (Array.isArray(value) && value.length > 0 && value.length <= longest && value.every(good))
      return Object.freeze([...value]);
    return this.missingOrInvalid(name, `1 to ${longest} integers from ${least} to ${most}`);
  }

  /** As many numbers as `otherwise` has, which is taken when the field is missing. */
  numbers(name: string, { least = 0, most }: NumberBounds, otherwise: readonly number[]): readonly number[] {
    const value = this.has(name) ? this.values[name] : otherwise;
    const good = (item: unknown): item is number => typeof item === 'number' && item >= least && item <= most;
    if (Array.isArray(value) && value.length === otherwise.length && value.every(good))
      return Object.freeze([...value]);
    return this.missingOrInvalid(name, `${otherwise.length} numbers from ${least} to ${most}`);
  }

  /** Refuses a field that asks for something no released model uses; absent and null always pass. */
  only(name: string, ...allowed: readonly (string | number | boolean)[]): void {
    const value = this.values[name];
    if (!this.has(name) || allowed.some((item) => item === value)) return;
    this.fail(
      'CONFIG_NOT_SUPPORTED',
      name,
      `expected ${allowed.map((item) => JSON.stringify(item)).join(' or ')}, got ${shown(value)}`,
    );
  }

  /** Refuses a value that contradicts another one. */
  equal(name: string, value: number, expected: number, reason: string): void {
    if (value !== expected) this.fail('CONFIG_CONTRADICTION', name, `expected ${expected} (${reason}), got ${value}`);
  }

  fail(code: ConfigErrorCode, name: string, problem: string): never {
    const field = this.pathOf(name);
    throw new ConfigError(code, `${this.file}: ${field}: ${problem}.`, { file: this.file, field });
  }

  private missingOrInvalid(name: string, expected: string): never {
    if (!this.has(name)) return this.fail('CONFIG_FIELD_MISSING', name, `is missing: expected ${expected}`);
    return this.fail('CONFIG_FIELD_INVALID', name, `expected ${expected}, got ${shown(this.values[name])}`);
  }

  private pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}

/**
 * Parses a JSON file of at most 16 MiB.
 * @throws {ConfigError} the file is missing, too large, or no JSON
 */
export function readJsonFile(path: string): unknown {
  let text: string;
  try {
    const size = statSync(path).size;
    if (size > largestFileBytes) {
      throw new ConfigError(
        'CONFIG_FILE_INVALID',
        `${path}: file is too large: expected at most ${largestFileBytes} bytes, got ${size}.`,
        { file: path },
      );
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (ConfigError.isInstance(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(
      'CONFIG_FILE_MISSING',
      `${path}: cannot be read: ${reason}.`,
      { file: path },
      { cause: error },
    );
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError('CONFIG_FILE_INVALID', `${path}: is no JSON: ${reason}.`, { file: path }, { cause: error });
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
