// Turns facts about a machine into findings: what was found, what it means, and the one command that mends it.

import { cudaFindings } from './cuda-findings.js';
import type { Finding } from './finding.js';
import { gibibytes } from './gibibytes.js';
import type { MachineFacts } from './machine-facts.js';

const smallestNode: readonly number[] = [20, 19];

/** Findings in the order in which problems should be mended. */
export function findings(facts: MachineFacts): Finding[] {
  return [
    nodeFinding(facts),
    addonFinding(facts),
    processorFinding(facts),
    ...cudaFindings(facts),
    ...spaceFindings(facts),
  ];
}

function nodeFinding({ node, platform, arch, glibc }: MachineFacts): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = smallestNode;
  const isOld = major < leastMajor || (major === leastMajor && minor < leastMinor);
  const found = `${node} on ${platform}-${arch}${glibc === undefined ? '' : `, glibc ${glibc}`}`;
  if (!isOld) return { name: 'Node.js', state: 'good', found, meaning: 'Supported.' };
  return {
    name: 'Node.js',
    state: 'problem',
    found,
    meaning: 'Too old: 20.19 or newer is needed.',
    command: 'nvm install 22',
  };
}

function addonFinding({ addon }: MachineFacts): Finding {
  const name = 'Native addon';
  if (addon.explanation === undefined) {
    const found =
      `${addon.version ?? ''} with ${addon.cpuOps} CPU and ${addon.cudaOps} CUDA ops, ${addon.path ?? ''}`.trim();
    return { name, state: 'good', found, meaning: 'Loaded: the large operations run in native code.' };
  }
  const [first = '', ...rest] = addon.explanation.split('\n');
  const command = rest.findLast((line) => line.startsWith('  ') && !line.startsWith('  tried'))?.trim();
  return {
    name,
    state: 'note',
    found: [first, ...rest.filter((line) => line.startsWith('  tried'))].join('\n'),
    meaning: 'Everything still works, on the CPU in plain TypeScript, many times slower.',
    ...(command !== undefined && { command }),
  };
}

function processorFinding({ processor, cores, addon }: MachineFacts): Finding {
  const found = `${processor}, ${cores} cores, ${addon.threads} threads used${addon.cpuFeatures.length > 0 ? `, ${addon.cpuFeatures.join(' ')}` : ''}`;
  const isNarrow =
    addon.explanation === undefined && !addon.cpuFeatures.some((feature) => /avx2|avx512|neon/.test(feature));
  const meaning = isNarrow
    ? 'Without AVX2 or NEON, CPU operations are slow.'
    : 'CPU operations use these instructions.';
  return { name: 'Processor', state: isNarrow ? 'note' : 'good', found, meaning };
}

function spaceFindings({ memory, disk }: MachineFacts): Finding[] {
  const isTight = memory.freeBytes < 4 * 2 ** 30;
  const found = `${gibibytes(memory.freeBytes)} free of ${gibibytes(memory.totalBytes)}`;
  const memoryFinding: Finding = {
    name: 'Memory',
    state: isTight ? 'note' : 'good',
    found,
    meaning: isTight
      ? 'On the CPU, Janus-Pro-1B in f32 needs about 9 GiB; on a GPU, weights only pass through.'
      : 'Enough to stream weights to a GPU; on the CPU, Janus-Pro-1B in f32 needs about 9 GiB.',
  };
  if (disk === undefined) return [memoryFinding];
  const isFull = disk.freeBytes < 16 * 2 ** 30;
  return [
    memoryFinding,
    {
      name: 'Disk',
      state: isFull ? 'note' : 'good',
      found: `${gibibytes(disk.freeBytes)} free in ${disk.folder}`,
      meaning: isFull
        ? 'Janus-Pro-1B takes about 4 GiB and Janus-Pro-7B about 14 GiB: this may not hold the checkpoint you want.'
        : 'Enough for a checkpoint: Janus-Pro-7B takes about 14 GiB.',
      ...(isFull && { command: 'df -h' }),
    },
  ];
}
