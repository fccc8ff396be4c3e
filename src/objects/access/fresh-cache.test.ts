import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { FreshCache } from './fresh-cache.ts';

function setup(entriesMax = 3) {
  let now = 0;
  let reads = 0;
  const cache = new FreshCache<string>({ entriesMax, freshMs: 100, staleMs: 1_000, nowMs: () => now });
  return {
    cache,
    reads: () => reads,
    after: (ms: number) => void (now += ms),
    get: (key: string, value: string | null | Error | Promise<string> = key) =>
      cache.get(key, async () => {
        reads++;
        if (value instanceof Error) throw value;
        return value;
      }),
  };
}

const trouble = () => new HoldfastError('unavailable', 'The store is away.', { outcome: 'none' });

describe('a cache of what was read a moment ago', () => {
  test('answers while that is fresh, and reads again after', async () => {
    const { get, after, reads } = setup();
    assert.equal(await get('a', 'old'), 'old');
    after(99);
    assert.equal(await get('a', 'new'), 'old');
    after(1);
    assert.equal(await get('a', 'new'), 'new');
    assert.equal(reads(), 2);
  });

  test('keeps a bounded number, and lets the least recently used go', async () => {
    const { cache, get, reads } = setup();
    for (const key of ['a', 'b', 'c', 'a', 'd']) await get(key);
    assert.equal(cache.size, 3);
    assert.equal(reads(), 4);
    await get('a');
    assert.equal(reads(), 4);
    await get('b');
    assert.equal(reads(), 5);
  });

  test('does not keep that there is nothing', async () => {
    const { cache, get, reads, after } = setup();
    for (let index = 0; index < 10; index++) assert.equal(await get(`made-up-${index}`, null), null);
    assert.equal(cache.size, 0);
    await get('a', 'there');
    after(100);
    assert.equal(await get('a', null), null);
    assert.equal(cache.size, 0);
    assert.equal(reads(), 12);
  });

  test('reads once for those who ask at once', async () => {
    const { get, reads } = setup();
    const answers = await Promise.all(Array.from({ length: 20 }, () => get('a')));
    assert.deepEqual(new Set(answers), new Set(['a']));
    assert.equal(reads(), 1);
  });

  test('does not keep, nor pass on, what was read before it was cleared', async () => {
    const { cache, get, reads } = setup();
    const { promise, resolve } = Promise.withResolvers<string>();
    const early = get('a', promise);
    cache.clear();
    assert.equal(await get('a', 'new'), 'new');
    resolve('old');
    assert.equal(await early, 'old');
    assert.equal(await get('a', 'newer'), 'new');
    assert.equal(reads(), 2);
  });

  test('does not let a slow reading replace a newer one, nor lets others wait for it', async () => {
    const { get, after } = setup();
    const { promise, resolve } = Promise.withResolvers<string>();
    const slow = get('a', promise);
    after(100);
    assert.equal(await get('a', 'new'), 'new');
    resolve('old');
    await slow;
    assert.equal(await get('a', 'newer'), 'new');
  });

  test('goes on with the old answer while the store is in trouble, and not for ever', async () => {
    const { get, after, reads } = setup();
    await get('a', 'old');
    after(100);
    assert.equal(await get('a', trouble()), 'old');
    assert.equal(reads(), 2);
    // It does not try again for a while, and then without letting anybody wait.
    after(99);
    assert.equal(await get('a', 'new'), 'old');
    assert.equal(reads(), 2);
    after(1);
    assert.equal(await get('a', new Promise<string>(() => {})), 'old');
    assert.equal(reads(), 3);
    after(800);
    await assert.rejects(get('a', trouble()), /The store is away/);
    await assert.rejects(get('b', trouble()), /The store is away/);
  });

  test('takes the new answer when the store is back', async () => {
    const { get, after } = setup();
    await get('a', 'old');
    after(100);
    await get('a', trouble());
    after(100);
    assert.equal(await get('a', 'new'), 'old');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await get('a', 'newer'), 'new');
  });

  test('gives no old answer for an error that is not the store being away', async () => {
    const { get, after } = setup();
    await get('a', 'old');
    after(100);
    await assert.rejects(get('a', new HoldfastError('internal', 'It does not open.')), /does not open/);
  });
});
