import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { Refused } from '../../client-bytes.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { forEachParallel } from './pool.ts';
import { Patience, retried, waitMs } from './retry.ts';

async function* numbers(count: number, onTaken: (taken: number) => void = () => {}): AsyncGenerator<number> {
  for (let number = 0; number < count; number++) {
    onTaken(number);
    yield number;
  }
}

describe('work in parallel', () => {
  test('is done on every item, on no more at once than is wanted', async () => {
    let [running, most] = [0, 0];
    const done = new Set<number>();
    await forEachParallel(numbers(50), 4, async (number) => {
      running++;
      most = Math.max(most, running);
      await turn();
      running--;
      done.add(number);
    });
    assert.equal(done.size, 50);
    assert.equal(most, 4);
  });

  test('ends with the first error, takes nothing more, and leaves nothing under way', async () => {
    let [running, taken] = [0, 0];
    const working = forEachParallel(
      numbers(1_000, () => taken++),
      3,
      async (number) => {
        running++;
        await turn();
        running--;
        if (number === 5) throw new Error('five');
      },
    );
    await assert.rejects(working, /five/);
    assert.equal(running, 0);
    assert.ok(taken < 15, `${taken} were taken`);
  });

  test('ends when the items themselves cannot be had', async () => {
    async function* broken(): AsyncGenerator<number> {
      yield 1;
      throw new Error('no more');
    }
    await assert.rejects(
      forEachParallel(broken(), 2, async () => {}),
      /no more/,
    );
  });
});

describe('trying again', () => {
  const never = new AbortController().signal;
  const refused = (status: number, retryAfterMs: number | null) =>
    new Refused(status, { error: 'no', code: 'SERVICE_UNAVAILABLE' }, retryAfterMs);

  test('happens when the server wants it later or the connection broke', async () => {
    for (const error of [
      refused(503, 0),
      refused(429, null),
      new HoldfastError('unavailable', 'x', { connection: 'broken' }),
    ]) {
      let calls = 0;
      const value = await retried(never, async () => {
        calls++;
        if (calls === 1) throw error;
        return 'done';
      });
      assert.deepEqual([value, calls], ['done', 2]);
    }
  });

  test('does not happen for an answer that would be the same, nor when nobody is there', async () => {
    for (const error of [
      refused(404, null),
      refused(507, 1_000),
      new HoldfastError('unavailable', 'x', { connection: 'absent' }),
    ]) {
      let calls = 0;
      const trying = retried(never, async () => {
        calls++;
        throw error;
      });
      await assert.rejects(trying, error);
      assert.equal(calls, 1);
    }
  });

  test('waits as long as the server wants, longer each time, and within a bound', () => {
    assert.equal(waitMs(refused(503, 1_000), 1), 1_000);
    assert.equal(waitMs(refused(503, 1_000), 4), 2_000);
    assert.equal(waitMs(refused(503, 3_600_000), 1), 30_000);
    assert.equal(waitMs(new Error('broken'), 1), 250);
  });

  test('is given up after seven times in a row, but not after many that each went on', async () => {
    const waits: number[] = [];
    const patience = new Patience(never, async (ms) => void waits.push(ms));
    for (let round = 0; round < 100; round++) {
      await patience.wait(refused(503, null));
      patience.renew();
    }
    assert.deepEqual(new Set(waits.splice(0)), new Set([250]));
    const last = refused(503, null);
    for (let attempt = 1; attempt < 7; attempt++) await patience.wait(refused(503, null));
    await assert.rejects(patience.wait(last), last);
    assert.deepEqual(waits, [250, 500, 1_000, 2_000, 4_000, 8_000]);
  });

  test('ends at once when it is interrupted', async () => {
    const control = new AbortController();
    const trying = retried(control.signal, async () => {
      control.abort();
      throw refused(503, 3_600_000);
    });
    await assert.rejects(trying, { name: 'AbortError' });
  });
});
