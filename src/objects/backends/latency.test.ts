import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ReadHealth } from './latency.ts';

/** On a clock of the test's own. */
function measured() {
  let nowMs = 1_000_000;
  const health = new ReadHealth({ nowMs: () => nowMs });
  const answer = (tookMs: number, times = 1, everyMs = 10) => {
    for (let time = 0; time < times; time++) {
      nowMs += everyMs;
      health.answered(tookMs);
    }
  };
  return { health, answer, advance: (ms: number) => void (nowMs += ms) };
}

describe('what is known of reading from a backend', () => {
  test('is nothing at first', () => {
    const { health } = measured();
    assert.deepEqual(
      [health.latencyMs, health.costMs, health.p95Ms, health.faultShare, health.isProbeDue],
      [0, 1, null, 0, true],
    );
  });

  test('has a 95th percentile that follows, within half of the value', () => {
    const { health, answer } = measured();
    for (let round = 0; round < 20; round++) {
      answer(10, 18);
      answer(200, 2);
    }
    assert.ok(health.p95Ms! >= 200 && health.p95Ms! <= 300, `${health.p95Ms}`);
    answer(10, 400);
    assert.ok(health.p95Ms! >= 10 && health.p95Ms! <= 15, `${health.p95Ms} after the slow ones are long ago`);
  });

  test('the percentile is never below what 95 of 100 took, and never half as much again above it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 8, max: 300 }), (tookMs, times) => {
        const { health, answer } = measured();
        answer(tookMs, times);
        const p95Ms = health.p95Ms!;
        assert.ok(p95Ms >= tookMs * 0.999 && p95Ms <= tookMs * 1.501, `${tookMs}: ${p95Ms}`);
      }),
      { numRuns: 50 },
    );
  });

  test('does not take what is alike for different, however it trembles', () => {
    const { health, answer } = measured();
    answer(20, 50);
    const { costMs } = health;
    for (let time = 0; time < 200; time++) {
      answer(time % 2 === 0 ? 17 : 23);
      assert.equal(health.costMs, costMs);
    }
    answer(200, 50);
    assert.ok(health.costMs > costMs * 5);
    answer(20, 50);
    assert.ok(health.costMs < costMs * 1.6);
  });

  test('counts what nobody waited for, when that was long, and not the impatience of a client', () => {
    const { health, answer } = measured();
    answer(50, 20);
    health.abandoned(1);
    assert.equal(health.latencyMs, 50);
    const { p95Ms } = health;
    for (let time = 0; time < 20; time++) health.abandoned(500);
    assert.ok(health.latencyMs > 400);
    assert.equal(health.p95Ms, p95Ms, 'how long is waited does not rise by itself');
  });

  test('holds faults against it, until they are long ago', () => {
    const { health, answer, advance } = measured();
    answer(1, 20);
    const { costMs } = health;
    for (let time = 0; time < 10; time++) health.failed();
    assert.ok(health.costMs > 100 * costMs, `${health.costMs}`);
    advance(3_600_000);
    assert.ok(health.faultShare < 0.001);
    answer(1, 1);
    assert.equal(health.costMs, costMs);
  });

  test('is to be measured again by one at a time, when nobody did for a while', () => {
    const { health, answer, advance } = measured();
    answer(10);
    assert.equal(health.isProbeDue, false);
    advance(5_000);
    assert.equal(health.isProbeDue, true);
    health.beginProbe();
    assert.equal(health.isProbeDue, false);
    advance(5_000);
    assert.equal(health.isProbeDue, true, 'a look that told nothing blocks nobody for ever');
  });
});
