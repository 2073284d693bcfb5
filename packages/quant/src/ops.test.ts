// Every op of this package on the CPU: the SIMD kernel where there is one, the reference elsewhere.

import { describeOps } from '@limen/tensor/testing';
import { describe, expect, test } from 'vitest';

await describeOps(new URL('./ops/', import.meta.url), 'cpu', { describe, expect, test });
