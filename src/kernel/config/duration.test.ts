import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { formatDuration, parseDuration } from './duration.ts';

describe('durations', () => {
  test('are read with a unit, or as milliseconds', () => {
    const cases = {
      '500ms': 500,
      '10s': 10_000,
      '1.5h': 5_400_000,
      '30d': 2_592_000_000,
      '250': 250,
      ' 2 m ': 120_000,
      '0': 0,
    };
    for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms, text);
  });

  test('of any other shape are refused with a sentence that quotes them', () => {
    for (const text of ['', '-1s', '10 seconds', '1h30m', '1e3', 's', '0x10', '10S', 'Infinity', '1.s', '.5s']) {
      assert.throws(() => parseDuration(text), {
        message: `"${text}" is not a duration such as 500ms, 10s, 5m or 24h.`,
      });
    }
    assert.throws(() => parseDuration('9007199254740991d'), /too long/);
    assert.throws(() => parseDuration('9'.repeat(1_000_000)), /is not a duration/);
  });

  test('are written with the largest unit that is exact', () => {
    const cases = { '0ms': 0, '1500ms': 1_500, '2s': 2_000, '1d': 86_400_000, '25h': 90_000_000 };
    for (const [text, ms] of Object.entries(cases)) assert.equal(formatDuration(ms), text);
  });

  test('are the same after they were written and read', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (ms) => {
        assert.equal(parseDuration(formatDuration(ms)), ms);
      }),
    );
  });

  test('of any text are a whole number of milliseconds or an error', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^\d{0,18}\.?\d{0,12} ?(ms|s|m|h|d)?$/));
    fc.assert(
      fc.property(text, (value) => {
        try {
          const ms = parseDuration(value);
          assert.ok(Number.isSafeInteger(ms) && ms >= 0);
        } catch (error) {
          assert.match((error as Error).message, /not a duration|too long/);
        }
      }),
    );
  });
});
