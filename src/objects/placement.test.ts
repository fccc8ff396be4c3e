import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type PlacementCandidate, rankBackends } from './placement.ts';

const labels = fc.record(
  { zone: fc.constantFrom('x', 'y', 'z'), tier: fc.constantFrom('hot', 'cold') },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<Record<string, string>>;

const candidates: fc.Arbitrary<PlacementCandidate[]> = fc
  .array(
    fc.record({
      position: fc.integer({ min: 0, max: 3 }),
      labels,
      totalBytes: fc.option(fc.integer({ min: 0, max: 1_000 })),
      usedBytes: fc.integer({ min: 0, max: 1_200 }),
    }),
    { maxLength: 8 },
  )
  .map((all) =>
    all.map((one, index) => ({
      ...one,
      name: `b${index}`,
      freeBytes: one.totalBytes === null ? null : one.totalBytes - one.usedBytes,
    })),
  );
const wishes = fc.record({
  placement: fc.constantFrom('pack', 'spread'),
  requiredLabels: fc.oneof(fc.constant({}), fc.constant({ tier: 'hot' })),
  failureDomain: fc.option(fc.constant('zone')),
});

describe('placement', () => {
  test('ranks every backend that carries the labels once, and no other', () => {
    fc.assert(
      fc.property(candidates, wishes, (all, wish) => {
        const fitting = all.filter((one) =>
          Object.entries(wish.requiredLabels).every(([label, value]) => one.labels[label] === value),
        );
        assert.deepEqual(rankBackends(all, wish).toSorted(), fitting.map(({ name }) => name).toSorted());
      }),
    );
  });

  test('the first copies share no failure domain while there is a choice', () => {
    fc.assert(
      fc.property(candidates, wishes, fc.integer({ min: 1, max: 4 }), (all, wish, copies) => {
        const ranked = rankBackends(all, { ...wish, failureDomain: 'zone' });
        const domain = (name: string) => all.find((one) => one.name === name)!.labels['zone'] ?? `alone ${name}`;
        const first = ranked.slice(0, copies).map(domain);
        assert.equal(new Set(first).size, Math.min(first.length, new Set(ranked.map(domain)).size));
      }),
    );
  });

  test('one more copy avoids the failure domains of those that stand, while there is a choice', () => {
    fc.assert(
      fc.property(candidates, fc.nat({ max: 3 }), (all, count) => {
        const wish = { placement: 'pack', requiredLabels: {}, failureDomain: 'zone' } as const;
        const holders = all.slice(0, count);
        const others = all.slice(count);
        const domain = (name: string) => all.find((one) => one.name === name)!.labels['zone'] ?? `alone ${name}`;
        const taken = new Set(holders.map(({ name }) => domain(name)));
        const [first] = rankBackends(others, wish, holders);
        const hasChoice = others.some(({ name }) => !taken.has(domain(name)));
        if (first !== undefined) assert.equal(taken.has(domain(first)), !hasChoice);
      }),
    );
  });

  test('does not depend on the order in which backends are told', () => {
    fc.assert(
      fc.property(candidates, wishes, (all, wish) => {
        assert.deepEqual(rankBackends(all.toReversed(), wish), rankBackends(all, wish));
      }),
    );
  });

  test('pack goes by position, spread by the share that is free', () => {
    const one = (name: string, position: number, totalBytes: number | null, usedBytes: number): PlacementCandidate => {
      const freeBytes = totalBytes === null ? null : totalBytes - usedBytes;
      return { name, position, labels: {}, totalBytes, freeBytes, usedBytes };
    };
    const all = [one('full', 1, 100, 100), one('half', 2, 100, 50), one('free', 3, null, 10), one('over', 4, 10, 20)];
    const wish = { requiredLabels: {}, failureDomain: null };
    assert.deepEqual(rankBackends(all, { ...wish, placement: 'pack' }), ['full', 'half', 'free', 'over']);
    assert.deepEqual(rankBackends(all, { ...wish, placement: 'spread' }), ['free', 'half', 'over', 'full']);
  });
});
