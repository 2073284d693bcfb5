import { describe, expect, it } from 'vitest';

import { report } from '../commands/doctor.js';
import { findings } from './findings.js';
import { inspectMachine, type MachineFacts } from './machine-facts.js';

const gibibyte = 2 ** 30;

/** A machine on which all is well. */
const gpuMachine: MachineFacts = {
  node: '22.1.0',
  platform: 'linux',
  arch: 'x64',
  glibc: '2.36',
  processor: 'Some processor',
  cores: 16,
  memory: { freeBytes: 100 * gibibyte, totalBytes: 128 * gibibyte },
  disk: { folder: '/data', freeBytes: 64 * gibibyte },
  addon: {
    path: '/addon.node',
    version: '1.0.0',
    attempts: [],
    explanation: undefined,
    threads: 16,
    cpuFeatures: ['avx2', 'fma'],
    cpuOps: 5,
    cudaOps: 30,
  },
  driver: '580.10',
  closedDeviceFiles: [],
  cuda: {
    compiled: true,
    driverVersion: 13000,
    runtimeVersion: 12080,
    deviceCount: 1,
    errorCode: 0,
    errorName: 'cudaSuccess',
    errorMessage: 'no error',
  },
  devices: [
    {
      index: 0,
      name: 'NVIDIA H200',
      computeCapabilityMajor: 9,
      computeCapabilityMinor: 0,
      multiprocessorCount: 132,
      totalMemoryBytes: 140 * gibibyte,
      freeMemoryBytes: 139 * gibibyte,
      l2CacheBytes: 0,
      sharedMemoryPerBlockBytes: 0,
      clockRateKilohertz: 1_980_000,
      memoryClockRateKilohertz: 3_201_000,
      memoryBusWidthBits: 6144,
      uuid: '',
      pciBusId: '',
    },
  ],
  libraries: [
    { name: 'cublasLt', loaded: true, path: 'libcublasLt.so.13', error: '' },
    { name: 'nccl', loaded: false, path: '', error: 'libnccl.so.2: cannot open shared object file' },
  ],
};

const noCuda = { ...gpuMachine, devices: [], libraries: [], cuda: undefined };

function find(facts: MachineFacts, name: string) {
  return findings(facts).find((finding) => finding.name === name);
}

describe('findings', () => {
  it('are good on a machine with a GPU, and name what it is', () => {
    expect(findings(gpuMachine).filter(({ state }) => state === 'problem')).toEqual([]);
    expect(find(gpuMachine, 'cuda:0')?.found).toMatch(
      /NVIDIA H200, sm_90, 132 SMs, 139\.0 GiB free of 140\.0 GiB, 49\d\d GB\/s/,
    );
    expect(find(gpuMachine, 'cuBLASLt')?.state).toBe('good');
    expect(find(gpuMachine, 'NCCL')).toMatchObject({
      state: 'note',
      meaning: expect.stringContaining('One GPU') as string,
    });
  });

  it('call for a newer Node.js', () => {
    expect(find({ ...gpuMachine, node: '20.18.3' }, 'Node.js')).toMatchObject({
      state: 'problem',
      command: expect.any(String) as string,
    });
    expect(find({ ...gpuMachine, node: '20.19.0' }, 'Node.js')?.state).toBe('good');
  });

  it('show what the loader tried, and its last advice as the command', () => {
    const explanation =
      'The native addon could not be loaded: no.\n  tried /a (local build): not there\nTo build it:\n  npm run build:native';
    const finding = find({ ...noCuda, addon: { ...gpuMachine.addon, explanation } }, 'Native addon');
    expect(finding).toMatchObject({ state: 'note', command: 'npm run build:native' });
    expect(finding?.found).toContain('tried /a');
  });

  it('do not miss a GPU where there is no driver', () => {
    const facts = { ...noCuda, driver: undefined };
    expect(find(facts, 'NVIDIA GPU')?.state).toBe('note');
  });

  it('tell a driver without a CUDA build, a closed device file and an old driver apart', () => {
    const { cuda } = gpuMachine;
    const plain = cuda === undefined ? undefined : { ...cuda, compiled: false };
    expect(find({ ...noCuda, cuda: plain }, 'NVIDIA GPU')?.command).toBe('LIMEN_CUDA=1 npm run build:native');
    const closed = { ...noCuda, closedDeviceFiles: ['/dev/nvidia0'] };
    expect(find(closed, 'NVIDIA GPU')?.command).toBe('ls -l /dev/nvidia0');
    const old =
      cuda === undefined
        ? undefined
        : { ...cuda, driverVersion: 12000, errorCode: 35, errorName: 'cudaErrorInsufficientDriver' };
    expect(find({ ...noCuda, cuda: old }, 'NVIDIA GPU')).toMatchObject({
      state: 'problem',
      found: expect.stringContaining('driver for CUDA 12.0, addon for CUDA 12.8') as string,
    });
  });

  it('refuse GPUs before Ampere', () => {
    const devices = gpuMachine.devices.map((device) => ({ ...device, computeCapabilityMajor: 7 }));
    expect(find({ ...gpuMachine, devices }, 'cuda:0')?.state).toBe('problem');
  });

  it('warn of little memory and disk', () => {
    const tight = {
      ...gpuMachine,
      memory: { freeBytes: gibibyte, totalBytes: 8 * gibibyte },
      disk: { folder: '/', freeBytes: gibibyte },
    };
    expect(find(tight, 'Memory')?.state).toBe('note');
    expect(find(tight, 'Disk')?.state).toBe('note');
    expect(find({ ...gpuMachine, disk: undefined }, 'Disk')).toBeUndefined();
  });
});

describe('inspectMachine', () => {
  it('describes any machine without throwing', () => {
    const text = report(findings(inspectMachine()));
    expect(text).toContain(process.versions.node);
  });
});
