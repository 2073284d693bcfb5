// What doctor says about NVIDIA drivers, GPUs and the libraries that come with CUDA.

import type { DeviceFacts, MachineFacts } from './machine-facts.js';
import type { Finding } from './finding.js';
import { gibibytes } from './gibibytes.js';

/** Findings about CUDA; without an addon that could ask, only the driver's. */
export function cudaFindings(facts: MachineFacts): Finding[] {
  const { cuda, devices } = facts;
  if (cuda === undefined || devices.length === 0) return [unusable(facts)];
  const driver = facts.driver ?? 'unknown version';
  return [
    {
      name: 'NVIDIA driver',
      state: 'good',
      found: `${driver}, CUDA ${version(cuda.driverVersion)}`,
      meaning: `Fits the addon, which was built with CUDA ${version(cuda.runtimeVersion)}.`,
    },
    ...devices.map(deviceFinding),
    ...facts.libraries.map(libraryFinding),
  ];
}

function unusable({ cuda, driver, closedDeviceFiles, addon }: MachineFacts): Finding {
  const name = 'NVIDIA GPU';
  const cpuOnly = 'Everything runs on the CPU; --device cuda is refused.';
  if (closedDeviceFiles.length > 0) {
    const [file = ''] = closedDeviceFiles;
    return {
      name,
      state: 'problem',
      found: `${file} may not be opened by this user`,
      meaning: cpuOnly,
      command: `ls -l ${file}`,
    };
  }
  if (cuda === undefined || !cuda.compiled) {
    const found = driver === undefined ? 'no driver' : `driver ${driver}`;
    const why = addon.explanation === undefined ? 'the addon was built without CUDA' : 'the addon is not loaded';
    // Without a driver there is no GPU to miss.
    if (driver === undefined) return { name, state: 'note', found: `${found}; ${why}`, meaning: cpuOnly };
    return {
      name,
      state: 'problem',
      found: `${found}, but ${why}`,
      meaning: cpuOnly,
      command: 'LIMEN_CUDA=1 npm run build:native',
    };
  }
  if (cuda.driverVersion === 0) {
    return {
      name,
      state: 'note',
      found: 'no driver',
      meaning: `${cpuOnly} On a machine with a GPU, install its driver.`,
      command: 'nvidia-smi',
    };
  }
  const found = `${cuda.errorName}: ${cuda.errorMessage} (driver for CUDA ${version(cuda.driverVersion)}, addon for CUDA ${version(cuda.runtimeVersion)})`;
  const isOld = cuda.driverVersion < cuda.runtimeVersion && cuda.errorCode === 35;
  const meaning = isOld
    ? `The driver is older than the addon needs. ${cpuOnly}`
    : `The driver is there and shows no GPU it can use. ${cpuOnly}`;
  return { name, state: 'problem', found, meaning, command: 'nvidia-smi' };
}

function deviceFinding(device: DeviceFacts): Finding {
  const {
    computeCapabilityMajor: major,
    computeCapabilityMinor: minor,
    memoryClockRateKilohertz,
    memoryBusWidthBits,
  } = device;
  // Two transfers per clock.
  const gigabytesPerSecond = (2 * memoryClockRateKilohertz * 1000 * (memoryBusWidthBits / 8)) / 1e9;
  const bandwidth = gigabytesPerSecond > 0 ? `, ${gigabytesPerSecond.toFixed(0)} GB/s` : '';
  const found = `${device.name}, sm_${major}${minor}, ${device.multiprocessorCount} SMs, ${gibibytes(device.freeMemoryBytes)} free of ${gibibytes(device.totalMemoryBytes)}${bandwidth}`;
  const name = `cuda:${device.index}`;
  if (major < 8) return { name, state: 'problem', found, meaning: 'Too old: Ampere (sm_80) or newer is needed.' };
  const isBusy = device.freeMemoryBytes < 4 * 2 ** 30;
  if (!isBusy)
    return {
      name,
      state: 'good',
      found,
      meaning: 'Ready. In bf16, Janus-Pro-1B takes about 5 GiB and Janus-Pro-7B about 16 GiB.',
    };
  return {
    name,
    state: 'note',
    found,
    meaning: 'Little memory is free: another program may be using it.',
    command: 'nvidia-smi',
  };
}

const libraryUses = {
  cublasLt: {
    label: 'cuBLASLt',
    use: 'large matrix products',
    without: 'Own kernels do them, more slowly for long prompts.',
  },
  nccl: { label: 'NCCL', use: 'several GPUs at once', without: 'One GPU is used at a time.' },
  nvml: {
    label: 'NVML',
    use: 'temperature, power and clocks in benchmarks',
    without: 'Benchmarks leave these figures out.',
  },
} as const;

function libraryFinding({ name, loaded, path, error }: MachineFacts['libraries'][number]): Finding {
  const { label, use, without } = libraryUses[name];
  if (loaded) return { name: label, state: 'good', found: path, meaning: `Used for ${use}.` };
  return {
    name: label,
    state: 'note',
    found: error === '' ? 'not found' : error,
    meaning: `Would be used for ${use}. ${without}`,
  };
}

// 13000 is 13.0, 12080 is 12.8
function version(number: number): string {
  return `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;
}
