import { describe, expect, test } from 'vitest';

import { cudaUnavailableReason, listDevices, requireDevice } from './device.js';
import { DeviceNotAvailableError } from './errors/device-not-available-error.js';

describe('devices', () => {
  test('there is either a device or one sentence that says why not', () => {
    const reason = cudaUnavailableReason();
    if (reason === undefined) expect(listDevices().length).toBeGreaterThan(0);
    else expect([listDevices(), reason]).toEqual([[], expect.stringMatching(/^[A-Z].*\.$/)]);
  });

  test.each([-1, 0.5, 4096])('requireDevice refuses index %s', (index) => {
    expect(() => requireDevice(index)).toThrow(DeviceNotAvailableError);
    expect(() => requireDevice(index)).toThrow(`cuda:${index} is not available`);
  });
});
