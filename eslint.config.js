// Lint rules. Types are checked by tsc; here are the promises that a compiler does not keep: awaited promises, no `any`,
// no silenced null, typed errors in packages. Layout of the code is prettier's, imports are tools/check-boundaries.mjs's.

import tseslint from 'typescript-eslint';

// `new Error()` alone is allowed: it is how a creation site is recorded for the leak report.
const bareErrors = ['ThrowStatement', 'CallExpression[callee.property.name="reject"]'].map((parent) => ({
  selector: `${parent} > NewExpression[callee.name=/^(Error|TypeError|RangeError|SyntaxError|AggregateError)$/]`,
  message: 'Throw a subclass of LimenError, with a code and what to do, instead of a bare Error.',
}));

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      '**/build/',
      '**/build-cuda/',
      '**/node_modules/',
      '**/prebuilds/',
      'docs/api/',
      'out/',
      'coverage/',
      'fixtures/',
    ],
  },
  {
    files: ['**/*.{ts,tsx,mjs,js}'],
    extends: [tseslint.configs.recommended],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-eval': 'error',
      'no-new-func': 'error',
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['packages/*/src/**/*.ts', 'packages/*/test/**/*.ts', 'benchmarks/**/*.ts', 'examples/**/*.ts'],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-implied-eval': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/no-unsafe-assignment': 'error',
      '@typescript-eslint/no-unsafe-call': 'error',
      '@typescript-eslint/no-unsafe-member-access': 'error',
      '@typescript-eslint/no-unsafe-return': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    ignores: ['**/*.test.ts', '**/*.gpu.test.ts', '**/testing/**'],
    rules: { 'no-restricted-syntax': ['error', ...bareErrors] },
  },
);
