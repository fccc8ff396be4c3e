import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { domainOf } from '../placement.ts';
import { type StandingCopy, chooseSurplus } from './over-replication-order.ts';

const plain = { copies: 1, requiredLabels: {}, failureDomain: null };

function standing(backend: string, more: Partial<StandingCopy> = {}): StandingCopy {
  return { backend, standing: 'fine', labels: {}, position: 0, filledShare: 0.5, ...more };
}

function chosen(copies: readonly StandingCopy[], wishes = {}): string[] {
  return chooseSurplus(copies, { ...plain, ...wishes }).map(({ backend }) => backend);
}

describe('which copies are too many', () => {
  it('are those that drain, then those that fail at times, then the one on the fullest backend', () => {
    const copies = [
      standing('empty', { filledShare: 0.1 }),
      standing('full', { filledShare: 0.9 }),
      standing('shaky', { standing: 'shaky', filledShare: 0 }),
      standing('leaving', { standing: 'draining', filledShare: 0 }),
    ];
    assert.deepEqual(chosen(copies), ['leaving', 'shaky', 'full']);
    assert.deepEqual(chosen(copies, { copies: 2 }), ['leaving', 'shaky']);
  });

  it('are none while fewer than are wanted stand where they are safe', () => {
    const copies = [standing('a'), standing('b', { standing: 'shaky' }), standing('c', { standing: 'away' })];
    assert.deepEqual(chosen(copies, { copies: 2 }), []);
    assert.deepEqual(chosen([standing('a', { standing: 'draining' })], { copies: 0 }), []);
  });

  it('are first those that do not belong there, and those that share a failure domain', () => {
    const zone = (name: string, value: string, filledShare: number) =>
      standing(name, { labels: { zone: value, tier: name === 'cold' ? 'cold' : 'hot' }, filledShare });
    const copies = [zone('x1', 'x', 0.2), zone('x2', 'x', 0.3), zone('y', 'y', 0.9), zone('cold', 'z', 0)];
    const wishes = { copies: 2, failureDomain: 'zone', requiredLabels: { tier: 'hot' } };
    assert.deepEqual(chosen(copies, wishes), ['cold', 'x2']);
  });

  it('never leave fewer than are wanted, never touch what is away, and share domains no more than they must', () => {
    const copy = fc.record({
      standing: fc.constantFrom('draining' as const, 'shaky' as const, 'away' as const, 'fine' as const),
      labels: fc.record({ zone: fc.constantFrom('x', 'y', 'z') }),
      position: fc.nat(5),
      filledShare: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(copy, { minLength: 1, maxLength: 7 }), fc.integer({ min: 1, max: 4 }), (shapes, copies) => {
        const all = shapes.map((shape, index) => ({ backend: `m${index}`, ...shape }));
        const gone = chooseSurplus(all, { copies, requiredLabels: {}, failureDomain: 'zone' });
        const left = all.filter((one) => one.standing === 'fine' && !gone.includes(one));
        assert.ok(gone.every((one) => one.standing !== 'away'));
        assert.equal(new Set(gone).size, gone.length);
        if (gone.length === 0) return;
        assert.equal(left.length, copies);
        const domains = (some: readonly StandingCopy[]) =>
          new Set(some.map(({ backend: name, labels }) => domainOf({ name, labels }, 'zone'))).size;
        const fine = all.filter((one) => one.standing === 'fine');
        assert.equal(domains(left), Math.min(copies, domains(fine)));
      }),
      { numRuns: 500 },
    );
  });
});
