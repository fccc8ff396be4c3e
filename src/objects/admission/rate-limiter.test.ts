import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RateLimiter } from './rate-limiter.ts';

const waits = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 200 });

function pass(limiter: RateLimiter, nowMs: number, name = 'a'): boolean {
  if (!limiter.hasToken(name, nowMs)) return false;
  limiter.take(name, nowMs);
  return true;
}

describe('a rate limit', () => {
  test('lets exactly so many pass as tokens have come', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), waits, (perSecond, steps) => {
        const limiter = new RateLimiter(perSecond);
        // The law in whole numbers: a bucket of `perSecond` tokens, filled by a thousandth of that each millisecond.
        let units = perSecond * 1_000;
        let nowMs = 0;
        for (const waitMs of steps) {
          nowMs += waitMs;
          units = Math.min(perSecond * 1_000, units + waitMs * perSecond);
          const isAllowed = units >= 1_000;
          if (isAllowed) units -= 1_000;
          assert.equal(pass(limiter, nowMs), isAllowed, `at ${nowMs}`);
        }
      }),
    );
  });

  test('lets no more pass than the rate and one burst, over any time, and refuses nobody who keeps to it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), waits, (perSecond, steps) => {
        const limiter = new RateLimiter(perSecond);
        const passedAtMs: number[] = [];
        let nowMs = 0.25;
        for (const waitMs of steps) {
          nowMs += waitMs / 3;
          if (pass(limiter, nowMs)) passedAtMs.push(nowMs);
        }
        for (const [from, fromMs] of passedAtMs.entries()) {
          for (const [to, toMs] of passedAtMs.slice(from).entries()) {
            const most = perSecond + (perSecond * (toMs - fromMs + 1)) / 1_000;
            assert.ok(to + 1 <= most, `${to + 1} in ${toMs - fromMs} ms at ${perSecond}/s`);
          }
        }
        for (let time = 1; time <= 50; time++) {
          assert.ok(pass(limiter, nowMs + 1_000 + (time * 1_000) / perSecond), 'it keeps to the rate');
        }
      }),
      { numRuns: 50 },
    );
  });

  test('is one for each name, and one that has nothing left is told apart from others for long', () => {
    const limiter = new RateLimiter(1);
    assert.equal(pass(limiter, 0, 'a'), true);
    for (let name = 0; name < 9_000; name++) assert.equal(pass(limiter, 0, `n${name}`), true);
    assert.equal(pass(limiter, 0, 'a'), false);
  });

  test('is not loosened by a clock that stands still or goes back', () => {
    const limiter = new RateLimiter(2);
    assert.deepEqual(
      [1_000, 1_000, 1_000, 500, 999, 1_400, 1_500].map((nowMs) => pass(limiter, nowMs)),
      [true, true, false, false, false, false, true],
    );
  });

  test('of its own for a name holds for that name, and when it changes', () => {
    const limiter = new RateLimiter(1);
    const passed = (perSecond: number, nowMs: number) => {
      let count = 0;
      while (limiter.hasToken('own', nowMs, perSecond)) {
        limiter.take('own', nowMs, perSecond);
        count++;
      }
      return count;
    };
    assert.equal(passed(10, 0), 10);
    assert.equal(limiter.waitMs('own', 0, 10), 100);
    assert.equal(passed(10, 99), 0);
    assert.equal(passed(10, 100), 1);
    assert.equal(passed(3, 5_000), 3);
    assert.equal(passed(5, 5_400), 2);
    assert.deepEqual([pass(limiter, 5_400), pass(limiter, 5_400)], [true, false], 'others have the rate of all');
  });

  test('holds up what follows by what was taken beyond it, within a bound', () => {
    const limiter = new RateLimiter();
    const rate = 1_000;
    limiter.take('bytes', 0, rate, 1_500);
    assert.equal(limiter.hasToken('bytes', 0, rate), false);
    assert.equal(limiter.waitMs('bytes', 0, rate), 501);
    assert.equal(limiter.hasToken('bytes', 500, rate), false);
    assert.equal(limiter.hasToken('bytes', 501, rate), true);
    limiter.take('bytes', 501, rate, 10 ** 12);
    assert.equal(limiter.waitMs('bytes', 501, rate), 3_600_001);
    assert.equal(limiter.hasToken('bytes', 501 + 3_600_001, rate), true);
  });
});
