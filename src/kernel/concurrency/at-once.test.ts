import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { mapAtOnce } from './at-once.ts';

describe('work on many items at once', () => {
  it('gives the results in the order of the items, with no more than the limit under way', async () => {
    const items = Array.from({ length: 20 }, (_none, at) => at);
    let running = 0;
    let most = 0;
    const results = await mapAtOnce(items, 3, async (item) => {
      most = Math.max(most, ++running);
      for (let turns = 0; turns <= item % 4; turns++) await turn();
      running--;
      return item * 2;
    });
    assert.deepEqual(
      results,
      items.map((item) => item * 2),
    );
    assert.equal(most, 3);
    assert.deepEqual(await mapAtOnce([], 3, () => Promise.resolve(1)), []);
  });

  it('begins nothing after a failure, and waits for what was under way', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const work = async (item: number): Promise<void> => {
      begun.push(item);
      await turn();
      if (item === 1) throw new Error('the second');
      for (let turns = 0; turns < 3; turns++) await turn();
      ended.push(item);
    };
    await assert.rejects(mapAtOnce([0, 1, 2, 3, 4, 5], 3, work), /the second/);
    assert.deepEqual(
      [begun, ended],
      [
        [0, 1, 2],
        [0, 2],
      ],
    );
  });

  it('begins nothing more once the signal aborts', async () => {
    const control = new AbortController();
    const begun: number[] = [];
    const work = async (item: number): Promise<void> => {
      begun.push(item);
      if (item === 1) control.abort();
      await turn();
    };
    await mapAtOnce([0, 1, 2, 3], 2, work, control.signal);
    await mapAtOnce([4], 2, work, control.signal);
    assert.deepEqual(begun, [0, 1]);
  });
});
