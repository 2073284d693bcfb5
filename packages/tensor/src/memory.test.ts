import { expect, test } from 'vitest';

import { UnknownDeviceError } from './errors/unknown-device-error.js';
import { freeMemory } from './memory.js';

test('the CPU has what the operating system leaves to the process', () => {
  expect(freeMemory('cpu')).toBeGreaterThan(0);
  expect(freeMemory('cpu')).toBeLessThan(2 ** 50);
  expect(() => freeMemory('tpu')).toThrowError(UnknownDeviceError);
});
