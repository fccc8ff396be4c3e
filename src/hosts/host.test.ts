import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hostTimes, judgeHost } from './host.ts';

describe('the state of a host', () => {
  it('tells a dead host from a slow one, by its silence alone', () => {
    const times = hostTimes(60_000);
    assert.equal(judgeHost(true, 14_999, times), 'alive');
    assert.equal(judgeHost(true, 15_000, times), 'slow');
    assert.equal(judgeHost(true, 59_999, times), 'slow');
    assert.equal(judgeHost(true, 60_000, times), 'dead');
    assert.equal(judgeHost(false, 0, times), 'left');
  });

  it('is asked after often enough for any deadline in between, however late it is thought dead', () => {
    assert.equal(hostTimes(60_000).heartbeatMs, 5_000);
    assert.equal(hostTimes(3_600_000).heartbeatMs, 10_000);
  });

  it('never gets better by a longer silence', () => {
    const order = ['alive', 'slow', 'dead'];
    const times = fc.integer({ min: 12, max: 1e9 }).map(hostTimes);
    fc.assert(
      fc.property(times, fc.nat(), fc.nat(), (given, silentMs, moreMs) => {
        const [before, after] = [judgeHost(true, silentMs, given), judgeHost(true, silentMs + moreMs, given)];
        assert.ok(order.indexOf(after) >= order.indexOf(before));
      }),
    );
  });
});
