import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { RetryPolicy } from './operation.ts';
import { mayPass, nextWaitMs } from './policy.ts';

const policies: fc.Arbitrary<RetryPolicy> = fc.record(
  {
    attemptsMax: fc.integer({ min: 1, max: 5_000 }),
    initialWaitMs: fc.integer({ min: 0, max: 60_000 }),
    multiplier: fc.double({ min: 1, max: 10, noNaN: true }),
    waitMaxMs: fc.integer({ min: 0, max: 3_600_000 }),
    elapsedMaxMs: fc.integer({ min: 0, max: 86_400_000 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  },
  { requiredKeys: ['attemptsMax', 'initialWaitMs', 'multiplier', 'waitMaxMs'] },
);
const attempts = fc.integer({ min: 1, max: 5_000 });
const elapsed = fc.integer({ min: 0, max: 100_000_000 });
const random = fc.double({ min: 0, max: 1, noNaN: true });

describe('the retry policy', () => {
  test('waits a whole number of milliseconds, never negative and never longer than the longest wait', () => {
    fc.assert(
      fc.property(policies, attempts, elapsed, random, (policy, failed, elapsedMs, share) => {
        const waitMs = nextWaitMs(policy, failed, elapsedMs, share);
        if (waitMs === null) return;
        assert.ok(Number.isSafeInteger(waitMs) && waitMs >= 0 && waitMs <= policy.waitMaxMs, String(waitMs));
      }),
    );
  });

  test('ends exactly when the attempts or the longest total are used up', () => {
    fc.assert(
      fc.property(policies, attempts, elapsed, random, (policy, failed, elapsedMs, share) => {
        const unlimited = { ...policy, attemptsMax: Number.MAX_SAFE_INTEGER, elapsedMaxMs: Number.MAX_SAFE_INTEGER };
        const waitMs = nextWaitMs(unlimited, failed, elapsedMs, share)!;
        const isUsedUp = failed >= policy.attemptsMax || elapsedMs + waitMs > (policy.elapsedMaxMs ?? Infinity);
        assert.equal(nextWaitMs(policy, failed, elapsedMs, share), isUsedUp ? null : waitMs);
      }),
    );
  });

  test('never waits less after more failures', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 100 }), random, (policy, failed, share) => {
        const endless = { ...policy, attemptsMax: 10_000, elapsedMaxMs: Number.MAX_SAFE_INTEGER };
        assert.ok(nextWaitMs(endless, failed + 1, 0, share)! >= nextWaitMs(endless, failed, 0, share)!);
      }),
    );
  });

  test('jitter takes away at most its part, and without it the wait is exact', () => {
    fc.assert(
      fc.property(policies, attempts, random, (policy, failed, share) => {
        const endless = { ...policy, attemptsMax: 10_000, elapsedMaxMs: Number.MAX_SAFE_INTEGER };
        const full = nextWaitMs({ ...endless, jitter: 0 }, failed, 0, share)!;
        const waitMs = nextWaitMs(endless, failed, 0, share)!;
        const growth = Math.min(Number.MAX_VALUE, policy.multiplier ** (failed - 1));
        const exact = Math.min(policy.waitMaxMs, policy.initialWaitMs * growth);
        assert.equal(full, Math.round(exact));
        assert.ok(waitMs <= full && waitMs >= Math.floor(full * (1 - (policy.jitter ?? 0))) - 1);
      }),
    );
  });

  test('after very many attempts without a first wait the wait is still none', () => {
    const policy = { attemptsMax: 1_000_000, initialWaitMs: 0, multiplier: 10, waitMaxMs: 1_000 };
    assert.equal(nextWaitMs(policy, 5_000, 0, 0.5), 0);
  });

  test('the waits of the volumes as documented: 500 ms, 1 s, then the end', () => {
    const policy = { attemptsMax: 3, initialWaitMs: 500, multiplier: 2, waitMaxMs: 10_000 };
    assert.deepEqual(
      [1, 2, 3].map((failed) => nextWaitMs(policy, failed, 0, 0.5)),
      [500, 1_000, null],
    );
  });

  test('what the domain refused is not tried again, what may pass is', () => {
    const passing = ['unavailable', 'backend', 'internal', 'overloaded'] as const;
    const lasting = ['invalid', 'not_found', 'conflict', 'unsupported', 'unauthorized', 'forbidden'] as const;
    for (const kind of passing) assert.equal(mayPass({ kind, message: '' }), true);
    for (const kind of lasting) assert.equal(mayPass({ kind, message: '' }), false);
  });
});
