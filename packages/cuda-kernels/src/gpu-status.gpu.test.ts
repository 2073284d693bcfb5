// A real GPU is read through NVML where the driver brings it; containers often leave it out, and then there is a reason.

import { expect, test } from 'vitest';

import { cudaUnavailableReason, listDevices } from './device.js';
import { gpuStatus } from './gpu-status.js';

const reason = cudaUnavailableReason();
if (reason !== undefined) console.log(`skipped: ${reason}`);

test.skipIf(reason !== undefined)('a GPU has figures within bounds, or a reason why there are none', () => {
  const status = gpuStatus(0);
  console.log(JSON.stringify(status));
  if (!status.available) {
    expect(status.reason).toMatch(/\w/);
    return;
  }
  expect(status.name).toBe(listDevices()[0]?.name);
  expect(status.driverVersion).toMatch(/^\d+\./);
  expect(status.memoryUsedBytes).toBeLessThanOrEqual(status.memoryTotalBytes ?? 0);
  expect(status.utilizationPercent ?? 0).toBeLessThanOrEqual(100);
  expect(status.temperatureCelsius ?? 30).toBeLessThan(120);
});

test.skipIf(reason !== undefined)('a GPU that is not there has no figures', () => {
  expect(gpuStatus(99)).toMatchObject({ available: false });
});
