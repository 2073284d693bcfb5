// Every op on the CPU: the SIMD kernel where there is one, the reference elsewhere.

import { describeOps } from './testing/index.js';
import { describe, expect, test } from 'vitest';

await describeOps(new URL('./ops/', import.meta.url), 'cpu', { describe, expect, test });
