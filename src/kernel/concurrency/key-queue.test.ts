import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { KeyQueue } from './key-queue.ts';

describe('work of a key', () => {
  test('is done in its order, one at a time, however each piece ends; other keys do not wait', async () => {
    const work = fc.record({ key: fc.constantFrom('a', 'b', 'c'), turns: fc.nat(3), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(work, { maxLength: 20 }), async (pieces) => {
        const queue = new KeyQueue();
        const begun: Record<string, number[]> = { a: [], b: [], c: [] };
        const running = new Set<string>();
        const ends = pieces.map(({ key, turns, fails }, index) =>
          queue.run(key, async () => {
            assert.ok(!running.has(key), 'two at once');
            running.add(key);
            begun[key]!.push(index);
            for (let turn = 0; turn < turns; turn++) await Promise.resolve();
            running.delete(key);
            if (fails) throw new Error(`piece ${index}`);
            return index;
          }),
        );
        const results = await Promise.allSettled(ends);
        for (const [index, { fails }] of pieces.entries()) {
          assert.equal(results[index]!.status, fails ? 'rejected' : 'fulfilled');
        }
        for (const indexes of Object.values(begun))
          assert.deepEqual(
            indexes,
            indexes.toSorted((a, b) => a - b),
          );
        assert.equal(Object.values(begun).flat().length, pieces.length);
        assert.equal(queue.size, 0);
      }),
    );
  });

  test('that is given up while it waits is never begun, and the next one still waits for the first', async () => {
    const queue = new KeyQueue();
    const first = Promise.withResolvers<string>();
    const control = new AbortController();
    const seen: string[] = [];
    const one = queue.run('k', async () => first.promise);
    const two = queue.run('k', async () => seen.push('two'), control.signal);
    const three = queue.run('k', async () => seen.push('three'));
    control.abort(new Error('no time'));
    await assert.rejects(two, /no time/);
    await queue.run('other', async () => seen.push('other'));
    assert.deepEqual(seen, ['other']);
    first.resolve('done');
    assert.equal(await one, 'done');
    await three;
    await queue.idle();
    await assert.rejects(
      queue.run('k', async () => seen.push('four'), control.signal),
      /no time/,
    );
    assert.deepEqual([seen, queue.size], [['other', 'three'], 0]);
  });

  test('is refused when too much of it waits', async () => {
    const queue = new KeyQueue();
    const gate = Promise.withResolvers<void>();
    const waiting = Array.from({ length: 1_000 }, () => queue.run('k', () => gate.promise));
    await assert.rejects(
      queue.run('k', async () => {}),
      { kind: 'overloaded' },
    );
    gate.resolve();
    await Promise.all(waiting);
    await queue.run('k', async () => {});
  });
});
