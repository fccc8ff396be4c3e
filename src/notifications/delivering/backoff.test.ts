import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nextAttemptAt, restAfter } from './backoff.ts';

const policy = { firstWaitMs: 5_000, attemptsMax: 16 };
const hourMs = 3_600_000;
const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('waits double, are half random, and end at an hour', () => {
  fc.assert(
    fc.property(fc.nat({ max: 14 }), share, (attempts, randomShare) => {
      const message = { attempts, createdAtMs: 0, askedWaitMs: null };
      const wait = nextAttemptAt(policy, message, 1_000, randomShare)! - 1_000;
      const full = Math.min(hourMs, 5_000 * 2 ** attempts);
      assert.ok(wait >= full / 2 - 1 && wait <= full, `${wait} of ${full}`);
    }),
  );
});

test('a wait that the receiver asks for is kept, up to a day', () => {
  const at = (askedWaitMs: number) => nextAttemptAt(policy, { attempts: 0, createdAtMs: 0, askedWaitMs }, 0, 0);
  assert.equal(at(60_000), 60_000);
  assert.equal(at(1), 2_500);
  assert.equal(at(Number.MAX_SAFE_INTEGER), 24 * hourMs);
});

test('the last attempt is the last, and so is one of a message of three days', () => {
  const at = (attempts: number, createdAtMs: number) =>
    nextAttemptAt(policy, { attempts, createdAtMs, askedWaitMs: null }, 100 * hourMs, 0);
  assert.notEqual(at(14, 99 * hourMs), null);
  assert.equal(at(15, 99 * hourMs), null);
  assert.notEqual(at(0, 28 * hourMs), null);
  assert.equal(at(0, 27 * hourMs), null);
});

test('a target that fails again and again rests, for a minute at most', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((count) => restAfter(policy, count)),
    [0, 0, 0, 5_000, 10_000, 20_000],
  );
  assert.equal(restAfter(policy, 1_000_000), 60_000);
});
