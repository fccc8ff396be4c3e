import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { filledShare } from '../backends/filling.ts';
import { domainOf, fitsLabels } from '../placement.ts';
import { type Move, type PlacedPart, type RebalancePlace, RebalancePlanner } from './rebalance-planner.ts';

const unlimited = { requests: null, ingressBytes: null, egressBytes: null };
const wishes = { placement: 'spread', requiredLabels: {}, failureDomain: null } as const;

function place(name: string, more: Partial<RebalancePlace> = {}): RebalancePlace {
  const rest = { objectBytesMax: null, blobBytesMax: null, allowance: unlimited };
  return {
    name,
    labels: {},
    position: Number(name.slice(1)),
    isOpen: true,
    usedBytes: 0,
    totalBytes: 1_000,
    ...rest,
    ...more,
  };
}

function part(id: string, backends: readonly string[], more: Partial<PlacedPart> = {}): PlacedPart {
  return { contentId: id, part: 1, sizeBytes: 10, storedBytes: 10, backends, wishes, ...more };
}

function planner(places: readonly RebalancePlace[], threshold = 0.1): RebalancePlanner {
  return new RebalancePlanner(places, { threshold, isReadBack: () => false });
}

/** What holds for a world of parts: where their copies stand. */
interface World {
  readonly places: RebalancePlace[];
  readonly parts: PlacedPart[];
}

/** One round over all parts, and the world after it. */
function round({ places, parts }: World, threshold: number): { moves: (Move & { part: PlacedPart })[]; after: World } {
  const one = planner(places, threshold);
  const used = new Map(places.map(({ name, usedBytes }) => [name, usedBytes]));
  const moves: (Move & { part: PlacedPart })[] = [];
  const movedParts = parts.map((each) => {
    let { backends } = each;
    for (const move of one.place(each)) {
      moves.push({ ...move, part: { ...each, backends } });
      used.set(move.from, used.get(move.from)! - each.storedBytes);
      used.set(move.to, used.get(move.to)! + each.storedBytes);
      backends = backends.map((name) => (name === move.from ? move.to : name));
    }
    return { ...each, backends };
  });
  return {
    moves,
    after: { places: places.map((each) => ({ ...each, usedBytes: used.get(each.name)! })), parts: movedParts },
  };
}

const zones = ['x', 'y', 'z'];
const anyWishes = fc.record({
  placement: fc.constantFrom('pack' as const, 'spread' as const),
  requiredLabels: fc.constantFrom({}, { tier: 'hot' }),
  failureDomain: fc.constantFrom(null, 'zone'),
});

/** Books that add up: what is used of a place is what its parts take, and at most what there is. */
function worldOf(wish: fc.Arbitrary<PlacedPart['wishes']>, isLimited: boolean): fc.Arbitrary<World> {
  const spot = fc.record({
    labels: fc.record({ zone: fc.constantFrom(...zones), tier: fc.constantFrom('hot', 'cold') }),
    spareBytes: fc.nat(3_000),
    hasLimit: isLimited ? fc.constant(true) : fc.boolean(),
    isOpen: isLimited ? fc.constant(true) : fc.boolean(),
  });
  const shape = fc.record({
    spots: fc.array(spot, { minLength: 2, maxLength: 5 }),
    parts: fc.array(
      fc.record({
        bytes: fc.integer({ min: 1, max: 60 }),
        at: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }),
        wish,
      }),
      { maxLength: 40 },
    ),
  });
  return shape.map(({ spots, parts }) => {
    const placed = parts.map(({ bytes, at, wish: wanted }, index) => {
      const backends = [...new Set(at.map((spotIndex) => `m${spotIndex % spots.length}`))].sort();
      return part(`c${index}`, backends, { storedBytes: bytes, sizeBytes: bytes, wishes: wanted });
    });
    const places = spots.map(({ labels, spareBytes, hasLimit, isOpen }, index) => {
      const name = `m${index}`;
      const usedBytes = placed.reduce((sum, one) => sum + (one.backends.includes(name) ? one.storedBytes : 0), 0);
      return place(name, { labels, usedBytes, totalBytes: hasLimit ? usedBytes + spareBytes + 1 : null, isOpen });
    });
    return { places, parts: placed };
  });
}

describe('the plan of the rebalancer', () => {
  it('ends: rounds that are made one after another come to one without moves', () => {
    fc.assert(
      fc.property(worldOf(anyWishes, false), (world) => {
        let now = world;
        for (let rounds = 0; rounds < 200; rounds++) {
          const { moves, after } = round(now, 0.1);
          if (moves.length === 0) return;
          now = after;
        }
        assert.fail('it still moves after 200 rounds');
      }),
      { numRuns: 300 },
    );
  });

  it('never moves to where labels, failure domain, room or health forbid it', () => {
    fc.assert(
      fc.property(worldOf(anyWishes, false), (world) => {
        const { moves, after } = round(world, 0.1);
        const byName = new Map(world.places.map((one) => [one.name, one]));
        for (const { from, to, part: moved } of moves) {
          const [source, target] = [byName.get(from)!, byName.get(to)!];
          assert.ok(target.isOpen && source.isOpen);
          assert.ok(fitsLabels(target, moved.wishes.requiredLabels));
          assert.ok(!moved.backends.includes(to), 'no two copies on one backend');
          const label = moved.wishes.failureDomain;
          if (label === null) continue;
          const siblings = moved.backends.filter((name) => name !== from).map((name) => byName.get(name)!);
          const shared = (one: RebalancePlace) =>
            siblings.filter((sibling) => domainOf(sibling, label) === domainOf(one, label)).length;
          assert.ok(shared(target) <= shared(source));
        }
        for (const { usedBytes, totalBytes } of after.places) assert.ok(totalBytes === null || usedBytes <= totalBytes);
      }),
      { numRuns: 500 },
    );
  });

  it('spreads within the threshold nothing, and never more than lies above the common filling', () => {
    fc.assert(
      fc.property(
        worldOf(fc.constant(wishes), true),
        fc.double({ min: 0.01, max: 0.9, noNaN: true }),
        (world, threshold) => {
          const { moves, after } = round(world, threshold);
          const shares = world.places.map(filledShare);
          if (Math.max(...shares) - Math.min(...shares) <= threshold) assert.deepEqual(moves, []);
          const givers = new Set(moves.map(({ from }) => from));
          assert.ok(
            moves.every(({ to }) => !givers.has(to)),
            'no backend gives and takes',
          );
          const [used, total] = world.places.reduce(([a, b], one) => [a + one.usedBytes, b + one.totalBytes!], [0, 0]);
          const above = world.places.reduce(
            (sum, one) => sum + Math.max(0, one.usedBytes - (used / total) * one.totalBytes!),
            0,
          );
          const movedBytes = moves.reduce((sum, { part: { storedBytes } }) => sum + storedBytes, 0);
          assert.ok(movedBytes <= above + 1e-6, `${movedBytes} of ${above} bytes`);
          const squares = ({ places }: World) =>
            places.reduce((sum, one) => sum + one.usedBytes ** 2 / one.totalBytes!, 0);
          assert.ok(moves.length === 0 || squares(after) < squares(world));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('stops as soon as the difference is within the threshold', () => {
    const parts = Array.from({ length: 80 }, (_, index) => part(`c${index}`, ['m1']));
    const { moves, after } = round({ places: [place('m1', { usedBytes: 800 }), place('m2')], parts }, 0.1);
    const [first, second] = after.places.map(filledShare) as [number, number];
    assert.ok(first - second <= 0.1 + 1e-9 && first - second > 0.08, `${first} and ${second}`);
    assert.equal(moves.length, 35);
  });

  it('packs into the first backend with room, and leaves as much of it free as the threshold says', () => {
    const packed = { ...wishes, placement: 'pack' } as const;
    const parts = Array.from({ length: 60 }, (_, index) => part(`c${index}`, ['m3'], { wishes: packed }));
    const places = [place('m1', { usedBytes: 600 }), place('m2', { usedBytes: 950 }), place('m3', { usedBytes: 600 })];
    const { moves } = round({ places, parts }, 0.1);
    assert.equal(moves.length, 30);
    assert.ok(moves.every(({ to, reason }) => to === 'm1' && reason === 'pack'));
  });

  it('moves all copies that stand where they do not belong, whatever the filling', () => {
    const hot = { labels: { tier: 'hot' } };
    const places = [place('m1'), place('m2'), place('m3', hot), place('m4', hot)];
    const wanted = { ...wishes, requiredLabels: { tier: 'hot' } };
    const moves = planner(places).place(part('c', ['m1', 'm2'], { wishes: wanted }));
    assert.deepEqual(
      moves.map(({ from, reason }) => [from, reason]),
      [
        ['m1', 'labels'],
        ['m2', 'labels'],
      ],
    );
    assert.deepEqual(moves.map(({ to }) => to).toSorted(), ['m3', 'm4']);
  });

  it('moves one of two copies that share a failure domain where there is another domain, and else none', () => {
    const zone = (name: string, value: string) => place(name, { labels: { zone: value } });
    const wanted = { ...wishes, failureDomain: 'zone' };
    const shared = part('c', ['m1', 'm2'], { wishes: wanted });
    const moves = planner([zone('m1', 'x'), zone('m2', 'x'), zone('m3', 'y')]).place(shared);
    assert.deepEqual(moves, [{ from: 'm1', to: 'm3', reason: 'domain' }]);
    assert.deepEqual(planner([zone('m1', 'x'), zone('m2', 'x'), zone('m3', 'x')]).place(shared), []);
  });

  it('passes no monthly limit of either end', () => {
    const parts = Array.from({ length: 50 }, (_, index) => part(`c${index}`, ['m1']));
    const full = { usedBytes: 900 };
    for (const [limited, count] of [
      [{ requests: 9, ingressBytes: null, egressBytes: null }, 4],
      [{ requests: null, ingressBytes: null, egressBytes: 55 }, 5],
    ] as const) {
      const { moves } = round({ places: [place('m1', { ...full, allowance: limited }), place('m2')], parts }, 0.1);
      assert.equal(moves.length, count);
    }
    const target = place('m2', { allowance: { requests: null, ingressBytes: 25, egressBytes: null } });
    assert.equal(round({ places: [place('m1', full), target], parts }, 0.1).moves.length, 2);
  });
});
