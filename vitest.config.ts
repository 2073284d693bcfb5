// Two projects: `unit` needs nothing but Node; `gpu` needs a CUDA device and skips with the reason where there is none.

import { defineConfig } from 'vitest/config';

const shared = {
  resolve: { conditions: ['limen-source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['limen-source', 'node', 'import', 'default'] } },
};

export default defineConfig({
  ...shared,
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          pool: 'forks',
          include: ['packages/*/{src,test}/**/*.test.ts', '{tools,benchmarks,examples}/**/*.test.ts'],
          exclude: ['**/*.gpu.test.ts', '**/node_modules/**'],
          testTimeout: 180_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'gpu',
          pool: 'forks',
          fileParallelism: false,
          include: ['packages/*/{src,test}/**/*.gpu.test.ts'],
          testTimeout: 120_000,
        },
      },
    ],
  },
});
