import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parseTime } from './times.ts';

describe('times of ISO 8601', () => {
  test('are read in the forms that clients write', () => {
    const cases = {
      '2030-01-02T03:04:05Z': Date.UTC(2030, 0, 2, 3, 4, 5),
      '2030-01-02T03:04:05.678Z': Date.UTC(2030, 0, 2, 3, 4, 5, 678),
      '2030-01-02T03:04:05.678901234Z': Date.UTC(2030, 0, 2, 3, 4, 5, 678),
      '2030-01-02T03:04:05+01:30': Date.UTC(2030, 0, 2, 1, 34, 5),
      '2030-01-02T03:04:05': Date.UTC(2030, 0, 2, 3, 4, 5),
      '2030-01-02T03:04Z': Date.UTC(2030, 0, 2, 3, 4),
      '2028-02-29': Date.UTC(2028, 1, 29),
      ' 2030-01-02 ': Date.UTC(2030, 0, 2),
    };
    for (const [text, timeMs] of Object.entries(cases)) assert.equal(parseTime(text), timeMs, text);
  });

  test('are nothing else', () => {
    const cases = ['', '20300101', '2030-1-1', '2030-02-30', '2029-02-29', '2030-13-01', '2030-01-01 00:00:00Z'];
    const more = ['2030-01-01T25:00:00Z', '2030-01-01T00:61:00Z', '2030-01-01T00', 'tomorrow', '1700000000'];
    for (const text of [...cases, ...more]) {
      assert.equal(parseTime(text), null, text);
    }
  });

  test('are the same after they were written and read', () => {
    const date = fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(date, (one) => {
        assert.equal(parseTime(one.toISOString()), one.getTime());
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        const timeMs = parseTime(text);
        assert.ok(timeMs === null || Number.isInteger(timeMs));
      }),
    );
  });
});
