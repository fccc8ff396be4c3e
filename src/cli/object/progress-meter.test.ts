import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProgressMeter, span } from './progress-meter.ts';

const mebibyte = 1_048_576;

describe('the progress of a transfer', () => {
  test('tells what is known: without totals there is neither a percentage nor an end', () => {
    const meter = new ProgressMeter(0);
    meter.add(3 * mebibyte);
    meter.objectDone();
    assert.equal(meter.line(1_000), '3 MiB  3 MiB/s  1 done');
  });

  test('tells the rate of the last seconds, and what is left by it', () => {
    const meter = new ProgressMeter(0);
    meter.setTotals({ bytes: 100 * mebibyte, objects: 1 });
    meter.add(40 * mebibyte);
    assert.equal(meter.line(1_000), '[########------------]  40 MiB of 100 MiB (40 %)  40 MiB/s  2 s left');
    for (let second = 2; second <= 11; second++) {
      meter.add(mebibyte);
      meter.line(second * 1_000);
    }
    // The quick second has left the window of five.
    assert.equal(meter.line(11_000), '[##########----------]  50 MiB of 100 MiB (50 %)  1 MiB/s  50 s left');
  });

  test('has no end while nothing moves, and counts objects when there are several', () => {
    const meter = new ProgressMeter(0);
    meter.setTotals({ bytes: 2 * mebibyte, objects: 3 });
    assert.equal(meter.line(0), '[--------------------]  0 B of 2 MiB (0 %)  0 B/s  0 of 3 done');
    assert.equal(meter.line(9_000), '[--------------------]  0 B of 2 MiB (0 %)  0 B/s  0 of 3 done');
  });

  test('goes back when bytes must go again, but never below nothing', () => {
    const meter = new ProgressMeter(0);
    meter.setTotals({ bytes: 4 * mebibyte, objects: 1 });
    meter.add(mebibyte);
    meter.line(1_000);
    meter.add(-mebibyte);
    assert.equal(meter.line(2_000), '[--------------------]  0 B of 4 MiB (0 %)  0 B/s');
  });

  test('is never more than all, also when a file has grown or all of them are empty', () => {
    const meter = new ProgressMeter(0);
    meter.setTotals({ bytes: 10, objects: 1 });
    meter.add(20);
    assert.equal(meter.line(1_000), '[####################]  20 B of 10 B (100 %)  20 B/s  0 s left');
    const empty = new ProgressMeter(0);
    empty.setTotals({ bytes: 0, objects: 1 });
    assert.equal(empty.line(1_000), '0 B of 0 B  0 B/s');
  });

  test('tells times as people do', () => {
    const told = [0, 0.2, 59, 60, 3_599, 3_600, 359_999, 1e9].map(span);
    assert.deepEqual(told, ['0 s', '1 s', '59 s', '1 min 0 s', '59 min 59 s', '1 h 0 min', '99 h 59 min', 'days']);
  });
});
