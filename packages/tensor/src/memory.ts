// Memory of a device as its users see it: statistics, budget, trimming.

import { cudaBackendFor } from './backends/backends.js';
import type { MemoryStatistics } from './backends/device-memory-pool.js';
import { parseDevice } from './device.js';
import { InvalidArgumentError } from './errors/invalid-argument-error.js';

/** What the device's pool holds; undefined on the CPU, where the JavaScript heap has no pool. */
export function memoryStatistics(device: string): MemoryStatistics | undefined {
  return cudaBackendFor(parseDevice(device))?.pool.statistics();
}

/**
 * Bytes that new tensors on a device can take now.
 *
 * On a GPU: what the driver has free and the pool holds idle, within the pool's budget. On the CPU: what the operating
 * system leaves to this process.
 *
 * @throws {UnknownDeviceError} the text names no device
 * @throws {DeviceNotAvailableError} a CUDA device that this machine or this build does not have
 */
export function freeMemory(device: string): number {
  return cudaBackendFor(parseDevice(device))?.pool.freeBytes() ?? process.availableMemory();
}

/**
 * Sets the most that the device's pool may take from the driver.
 *
 * @param bytes - positive, or Infinity for no budget
 * @throws {InvalidArgumentError} `bytes` is not positive
 */
export function setMemoryBudget(device: string, bytes: number): void {
  if (!(bytes > 0))
    throw new InvalidArgumentError(
      `setMemoryBudget: bytes is not allowed: expected a positive number, got ${bytes}. Pass Infinity for no budget.`,
    );
  cudaBackendFor(parseDevice(device))?.pool.setBudget(bytes);
}

/** Gives idle device memory back to the driver; returns the bytes given back. */
export function trimMemory(device: string): number {
  return cudaBackendFor(parseDevice(device))?.pool.trim() ?? 0;
}
