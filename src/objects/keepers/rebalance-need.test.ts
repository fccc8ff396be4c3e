import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isWorthLooking } from './rebalance-need.ts';
import { type PlacedPart, type RebalancePlace, RebalancePlanner } from './rebalance-planner.ts';

const allowance = { requests: null, ingressBytes: null, egressBytes: null };
const wishes = { copies: 1, placement: 'spread', requiredLabels: {}, failureDomain: null } as const;
const packed = { ...wishes, placement: 'pack' } as const;

function place(name: string, more: Partial<RebalancePlace> = {}): RebalancePlace {
  const rest = { objectBytesMax: null, blobBytesMax: null, allowance, isOpen: true };
  return { ...rest, name, labels: {}, position: Number(name.slice(1)), usedBytes: 0, totalBytes: 1_000, ...more };
}

function needs(places: readonly RebalancePlace[], wish: Parameters<typeof isWorthLooking>[1][number]): boolean {
  return isWorthLooking(places, [wish], 0.1);
}

const anyPlaces = fc.array(
  fc.record({
    labels: fc.record({ zone: fc.constantFrom('x', 'y'), tier: fc.constantFrom('hot', 'cold') }),
    spareBytes: fc.option(fc.nat(600)),
    isOpen: fc.nat(9).map((value) => value > 0),
  }),
  { minLength: 2, maxLength: 5 },
);
const anyParts = fc.array(
  fc.record({
    bytes: fc.integer({ min: 1, max: 60 }),
    at: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }),
    placement: fc.constantFrom('pack' as const, 'spread' as const),
    requiredLabels: fc.constantFrom({}, { tier: 'hot' }),
    failureDomain: fc.constantFrom(null, 'zone'),
  }),
  { minLength: 1, maxLength: 4 },
);

describe('what the books say of the need to rebalance', () => {
  it('is never that there is none while a part would be moved', () => {
    let moved = 0;
    fc.assert(
      fc.property(anyPlaces, anyParts, (spots, described) => {
        const parts = described.map(({ bytes, at, ...wish }, index): PlacedPart & { wishes: { copies: number } } => {
          const backends = [...new Set(at.map((one) => `m${one % spots.length}`))];
          const sizes = { sizeBytes: bytes, storedBytes: bytes };
          return { contentId: `c${index}`, part: 1, ...sizes, backends, wishes: { ...wish, copies: backends.length } };
        });
        const places = spots.map(({ labels, spareBytes, isOpen }, index) => {
          const name = `m${index}`;
          const usedBytes = parts.reduce((sum, one) => sum + (one.backends.includes(name) ? one.storedBytes : 0), 0);
          const totalBytes = spareBytes === null ? null : usedBytes + spareBytes + 1;
          return place(name, { labels, isOpen, usedBytes, totalBytes });
        });
        const planner = new RebalancePlanner(places, { threshold: 0.1, isReadBack: () => false });
        const moves = parts.flatMap((part) => planner.place(part));
        moved += moves.length;
        const wanted = parts.map((part) => part.wishes as Parameters<typeof needs>[1]);
        assert.ok(moves.length === 0 || isWorthLooking(places, wanted, 0.1), JSON.stringify(moves));
      }),
      { numRuns: 2_000 },
    );
    assert.ok(moved > 500, `only ${moved} moves were made`);
  });

  it('is that there is none where all are filled alike, packed in order, or hold a copy of everything', () => {
    assert.equal(needs([place('m1', { usedBytes: 500 }), place('m2', { usedBytes: 450 })], wishes), false);
    assert.equal(needs([place('m1', { usedBytes: 800 }), place('m2')], wishes), true);
    const two = [place('m1', { usedBytes: 500 }), place('m2', { usedBytes: 500 }), place('m3')];
    assert.equal(needs(two, packed), true);
    assert.equal(needs(two, { ...packed, copies: 2 }), false);
    assert.equal(needs([place('m0'), ...two], { ...packed, copies: 2 }), true);
    assert.equal(needs([place('m1', { usedBytes: 900 }), place('m2')], packed), false);
  });

  it('is that there is none of labels that all carry which hold anything, and of domains that none share', () => {
    const hot = { labels: { tier: 'hot', zone: 'x' }, usedBytes: 500 };
    const cold = { labels: { tier: 'cold', zone: 'y' }, usedBytes: 500 };
    const wanted = { ...wishes, requiredLabels: { tier: 'hot' } };
    assert.equal(needs([place('m1', hot), place('m2', hot), place('m3', { ...cold, usedBytes: 0 })], wanted), false);
    assert.equal(needs([place('m1', hot), place('m2', hot), place('m3', cold)], wanted), true);
    const apart = { ...packed, copies: 2, failureDomain: 'zone' };
    assert.equal(needs([place('m1', hot), place('m2', cold), place('m3', { ...cold, usedBytes: 0 })], apart), false);
    const three = [place('m1', hot), place('m2', hot), place('m3', cold)];
    assert.equal(needs(three, apart), true);
    assert.equal(needs(three, { ...wishes, failureDomain: 'zone' }), false);
  });
});
