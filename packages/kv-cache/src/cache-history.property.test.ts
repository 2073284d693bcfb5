// Random histories of the whole accounting against a naive model: sequences, prefixes, windows, pins, evictions.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { noPage } from './page-table.js';
import { type Action, actionKinds, CacheHistory } from './testing/cache-history.js';

const weights: Partial<Record<Action['kind'], number>> = { append: 3, open: 3, release: 2, publish: 2 };
const kinds = actionKinds.flatMap((kind) => new Array<Action['kind']>(weights[kind] ?? 1).fill(kind));

const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.constantFrom(...kinds),
  pick: fc.nat(7),
  size: fc.nat(9),
  content: fc.record({
    tenant: fc.constantFrom('one', 'one', 'one', 'another'),
    token: fc.constantFrom(0, 0, 1),
    image: fc.constantFrom('none', 'none', 'none', 'none', 'wide', 'high'),
    whole: fc.boolean(),
  }),
});

const history = fc.record({
  pages: fc.integer({ min: 1, max: 12 }),
  pageSize: fc.integer({ min: 1, max: 4 }),
  actions: fc.array(action, { maxLength: 40, size: 'max' }),
});

describe('the accounting · random histories', () => {
  it.each([1, 7, 1234, 99991])('agrees with the naive model over 3000 histories of seed %d', (seed) => {
    const seen = { actions: 0, evictions: 0, reused: 0, shared: 0, gaps: 0, pinned: 0 };
    fc.assert(
      fc.property(history, ({ pages, pageSize, actions }) => {
        const run = new CacheHistory(pages, pageSize);
        for (const step of actions) {
          run.run(step);
          run.check();
          const { shared, pinned } = run.pool.statistics();
          seen.shared += shared;
          seen.pinned += pinned;
          seen.gaps += run.twins.filter(({ real }) => real.pages.includes(noPage)).length;
        }
        seen.actions += actions.length;
        seen.evictions += run.index.statistics().evictions;
        seen.reused += run.lookups.tokensReused;
        run.finish();
      }),
      { seed, numRuns: 3000 },
    );
    // A history that meets none of this would prove nothing.
    expect(seen.actions).toBeGreaterThan(30_000);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(500);
  });
});
