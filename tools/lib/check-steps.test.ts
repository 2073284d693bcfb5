import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runCheckSteps } from './check-steps.mjs';

beforeEach(() => void vi.spyOn(console, 'log').mockImplementation(() => undefined));
afterEach(() => vi.restoreAllMocks());

const passing = (name: string, needs: string[] = []) => ({
  name,
  needs,
  run: () => Promise.resolve({ passed: 1, failed: 0 }),
});

test('runs every step even when one fails or throws', async () => {
  const failing = { name: 'lint', needs: [], run: () => Promise.resolve({ passed: 2, failed: 3, skipped: 1 }) };
  const throwing = { name: 'unit', needs: ['lint'], run: () => Promise.reject(new Error('lost')) };
  const results = await runCheckSteps([failing, throwing, passing('pack', ['unit'])]);
  expect(results.map(({ name, passed, failed, skipped }) => [name, passed, failed, skipped])).toEqual([
    ['lint', 2, 3, 1],
    ['unit', 0, 1, 0],
    ['pack', 1, 0, 0],
  ]);
});

test('starts a step only after the steps it needs, and never more at a time than there are lanes', async () => {
  const events: string[] = [];
  let running = 0;
  const traced = (name: string, needs: string[]) => ({
    name,
    needs,
    run: async () => {
      events.push(`${name} starts`);
      running += 1;
      expect(running).toBeLessThanOrEqual(2);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      events.push(`${name} ends`);
      return { passed: 1, failed: 0 };
    },
  });
  await runCheckSteps([traced('examples', ['build']), traced('build', []), traced('types', []), traced('lint', [])], 2);
  expect(events.indexOf('build ends')).toBeLessThan(events.indexOf('examples starts'));
  expect(events).toHaveLength(8);
});

test('does not wait for a needed step that was not asked for', async () => {
  expect(await runCheckSteps([passing('pack', ['build'])])).toHaveLength(1);
});

test('prints what a failed step said', async () => {
  await runCheckSteps([
    { name: 'lint', needs: [], run: () => Promise.resolve({ passed: 0, failed: 1, output: 'line 7' }) },
  ]);
  expect(vi.mocked(console.log).mock.calls.flat().join('\n')).toContain('line 7');
});
