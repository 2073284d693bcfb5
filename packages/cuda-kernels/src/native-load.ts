// What loading the addon reports. Types only.

import type { AddonSource } from './native.js';
import type { NativeBinding } from './native-types.js';

/** One file that was tried. */
export interface LoadAttempt {
  readonly path: string;
  readonly source: AddonSource;
  readonly outcome: 'loaded' | 'missing' | 'failed' | 'crashed' | 'hung';
  /** What the loader or the probe said; empty when there is nothing to add. */
  readonly detail: string;
}

/** The addon, or why there is none. */
export interface NativeLoad {
  readonly binding: NativeBinding | null;
  /** Path of the loaded file. */
  readonly path: string | undefined;
  readonly attempts: readonly LoadAttempt[];
  /** One sentence without its full stop; undefined when the addon is loaded. */
  readonly reason: string | undefined;
}
