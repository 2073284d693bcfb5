// The one bundling preset of every package: ESM, CommonJS and declarations for both.

import { defineConfig, type Options } from 'tsup';

/** Builds `src/index.ts` and any further entry points a package names. */
export function limenPackage(options: Options = {}) {
  return defineConfig({
    entry: ['src/index.ts'],
    format: ['esm', 'cjs'],
    target: 'node20',
    dts: { compilerOptions: { ignoreDeprecations: '6.0', composite: false } },
    shims: true,
    sourcemap: true,
    clean: true,
    splitting: true,
    ...options,
  });
}
