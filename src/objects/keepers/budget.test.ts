import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Budget } from './budget.ts';

describe('a budget', () => {
  test('is never passed by more than what was saved up and one chunk, whatever is asked for', () => {
    const rates = fc.record({
      bytesPerSecond: fc.integer({ min: 1, max: 1_000_000 }),
      requestsPerSecond: fc.integer({ min: 1, max: 100 }),
    });
    const uses = fc.array(fc.record({ bytes: fc.nat({ max: 500_000 }), restMs: fc.nat({ max: 3_000 }) }), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(rates, uses, (rate, asked) => {
        let nowMs = 0;
        const budget = new Budget(rate, () => nowMs);
        let sumBytes = 0;
        for (const [index, { bytes, restMs }] of asked.entries()) {
          const mayBytes = rate.bytesPerSecond * (1 + nowMs / 1_000);
          assert.ok(sumBytes <= mayBytes + 1e-3, `${sumBytes} of ${mayBytes} bytes`);
          assert.ok(index <= rate.requestsPerSecond * (1 + nowMs / 1_000) + 1e-3);
          nowMs += budget.take({ bytes, requests: 1 });
          sumBytes += bytes;
          nowMs += restMs;
        }
      }),
    );
  });

  test('makes nobody wait longer than the rate demands', () => {
    let nowMs = 0;
    const budget = new Budget({ bytesPerSecond: 1_000, requestsPerSecond: 10 }, () => nowMs);
    assert.equal(budget.take({ bytes: 1_000, requests: 1 }), 0);
    assert.equal(budget.take({ bytes: 500 }), 500);
    nowMs += 500;
    assert.equal(budget.take({ bytes: 0 }), 0);
    nowMs += 60_000;
    assert.equal(budget.take({ bytes: 1_000, requests: 10 }), 0);
    assert.equal(budget.take({ requests: 1 }), 100);
  });
});
