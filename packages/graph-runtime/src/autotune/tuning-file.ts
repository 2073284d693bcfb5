// Tuned choices on disk. A file may hold those of several machines. It is a cache: what cannot be read is made anew.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { type Machine, sameMachine } from './machine.js';

/** A choice, what it holds for, and what it rests on. */
export interface TunedChoice {
  /** What was chosen for, as the caller named it. */
  readonly key: string;
  /** Name of a variant, or sizes. */
  readonly choice: string | readonly number[];
  readonly machine: Machine;
  /** Milliseconds by candidate. */
  readonly milliseconds: Readonly<Record<string, number>>;
  /** When, as an ISO date and time. */
  readonly at: string;
}

const formatVersion = 1;

/** A file of choices, or none: without a path choices live as long as the object. */
export class TuningFile {
  readonly path: string | undefined;
  /** Why the file was not used as it was; undefined when it was, or was not there. */
  readonly ignored: string | undefined;
  #choices: TunedChoice[] = [];

  /** Reads the file, if it is there. */
  constructor(path?: string) {
    this.path = path;
    if (path === undefined) return;
    try {
      this.#choices = parse(readFileSync(path, 'utf8'));
    } catch (error) {
      const missing = (error as { readonly code?: unknown }).code === 'ENOENT';
      if (!missing) this.ignored = error instanceof Error ? error.message : String(error);
    }
  }

  /** The choice for a key that holds on a machine. */
  find(key: string, machine: Machine): TunedChoice | undefined {
    return this.#choices.find((each) => each.key === key && sameMachine(each.machine, machine));
  }

  /** Keeps a choice in place of the one before, and writes the file. */
  store(choice: TunedChoice): void {
    this.#choices = this.#choices.filter(
      (each) => each.key !== choice.key || !sameMachine(each.machine, choice.machine),
    );
    this.#choices.push(choice);
    if (this.path === undefined) return;
    mkdirSync(dirname(this.path), { recursive: true });
    // Renaming is atomic: another process reads the old file or the new one.
    const unfinished = `${this.path}.${process.pid}.part`;
    writeFileSync(unfinished, `${JSON.stringify({ version: formatVersion, choices: this.#choices }, null, 1)}\n`);
    renameSync(unfinished, this.path);
  }
}

function parse(text: string): TunedChoice[] {
  const content = JSON.parse(text) as { readonly version?: unknown; readonly choices?: unknown };
  if (content.version !== formatVersion || !Array.isArray(content.choices)) return [];
  return content.choices.filter(isChoice);
}

function isChoice(value: unknown): value is TunedChoice {
  if (typeof value !== 'object' || value === null) return false;
  const { key, choice, machine } = value as Partial<Record<keyof TunedChoice, unknown>>;
  const numbers = Array.isArray(choice) && choice.every((size) => Number.isSafeInteger(size));
  return (
    typeof key === 'string' &&
    (typeof choice === 'string' || numbers) &&
    typeof machine === 'object' &&
    machine !== null
  );
}
