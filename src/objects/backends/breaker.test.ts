import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Breaker, type BreakerPolicy, type CallOutcome, type Ticket, defaultBreakerPolicy } from './breaker.ts';

const policy: BreakerPolicy = { ...defaultBreakerPolicy, jitterShare: 0 };

/** A breaker that has just been opened by faults in a row, at time 0. */
function opened(own: BreakerPolicy = policy, random = () => 0): Breaker {
  const breaker = new Breaker(own, random);
  for (let fault = 0; fault < own.faultsInRowMax; fault++) fail(breaker, 0);
  assert.equal(breaker.view(0).state, 'open');
  return breaker;
}

function fail(breaker: Breaker, nowMs: number): void {
  breaker.settle(admitted(breaker, nowMs), 'fault', nowMs, 'It failed.');
}

function admitted(breaker: Breaker, nowMs: number): Ticket {
  const ticket = breaker.admit(nowMs);
  assert.ok(ticket !== null, 'the call is let through');
  return ticket;
}

describe('a circuit breaker', () => {
  test('opens after faults in a row, rejects until its wait is over, and closes by one good probe', () => {
    const breaker = opened();
    assert.deepEqual(breaker.view(400), { state: 'open', reason: 'It failed.', retryAfterMs: 600 });
    assert.equal(breaker.admit(999), null);
    const probe = admitted(breaker, 1_000);
    assert.equal(breaker.view(1_000).state, 'half_open');
    assert.equal(breaker.admit(1_001), null, 'one probe at once');
    breaker.settle(probe, 'ok', 1_002);
    assert.deepEqual(breaker.view(1_002), { state: 'closed', reason: null, retryAfterMs: 0 });
    assert.ok(breaker.admit(1_002) !== null);
  });

  test('tells once that it opened, however often a probe fails, and once that it closed', () => {
    const told: string[] = [];
    const breaker = new Breaker(
      policy,
      () => 0,
      (change, reason) => told.push(`${change}: ${reason}`),
    );
    let nowMs = 0;
    while (breaker.isClosed) fail(breaker, nowMs);
    for (const outcome of ['fault', 'fault', 'ok'] as const) {
      nowMs += policy.waitMaxMs;
      breaker.settle(admitted(breaker, nowMs), outcome, nowMs, 'It failed again.');
    }
    assert.deepEqual(told, ['opened: It failed.', 'closed: null']);
  });

  test('is not opened by faults between which something worked, below the share', () => {
    const breaker = new Breaker(policy, () => 0);
    for (let round = 0; round < 200; round++) {
      fail(breaker, round);
      for (let call = 0; call < 2; call++) breaker.settle(admitted(breaker, round), 'ok', round);
    }
    assert.ok(breaker.isClosed);
  });

  test('opens by the share of faults in the window, also when they never come in a row', () => {
    const breaker = new Breaker(policy, () => 0);
    let calls = 0;
    for (; breaker.isClosed && calls < 100; calls++) {
      breaker.settle(admitted(breaker, calls), calls % 2 === 0 ? 'ok' : 'fault', calls);
    }
    assert.equal(calls, policy.windowCallsMin);
  });

  test('forgets what is older than the window', () => {
    const breaker = new Breaker({ ...policy, faultsInRowMax: 1_000 }, () => 0);
    for (let fault = 0; fault < 19; fault++) fail(breaker, 0);
    fail(breaker, policy.windowMs + 1);
    assert.ok(breaker.isClosed);
  });

  test('waits longer with each failed probe up to a cap, less a part by chance', () => {
    const breaker = opened();
    const waits: number[] = [];
    for (let nowMs = 0; waits.length < 9;) {
      const { retryAfterMs } = breaker.view(nowMs);
      waits.push(retryAfterMs);
      nowMs += retryAfterMs;
      fail(breaker, nowMs);
    }
    assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    assert.equal(opened({ ...policy, jitterShare: 0.2 }, () => 0.5).view(0).retryAfterMs, 900);
  });

  test('keeps its long wait for a backend that answers probes and fails at work, and forgets it after a calm time', () => {
    const breaker = opened();
    breaker.settle(admitted(breaker, 1_000), 'ok', 1_000);
    for (let fault = 0; fault < 5; fault++) fail(breaker, 1_100);
    assert.equal(breaker.view(1_100).retryAfterMs, 2_000);
    breaker.settle(admitted(breaker, 3_100), 'ok', 3_100);
    const calmMs = 3_100 + policy.waitMaxMs;
    for (let fault = 0; fault < 5; fault++) fail(breaker, calmMs);
    assert.equal(breaker.view(calmMs).retryAfterMs, 1_000);
  });

  test('failure 19: a rejected call is not a failed probe', () => {
    const breaker = opened();
    for (let nowMs = 0; nowMs < 1_000; nowMs++) assert.equal(breaker.admit(nowMs), null);
    const probe = admitted(breaker, 1_000);
    for (let nowMs = 1_000; nowMs < 2_000; nowMs++) assert.equal(breaker.admit(nowMs), null);
    breaker.settle(probe, 'ok', 2_000);
    assert.ok(breaker.isClosed);
  });

  test('failure 19: a probe whose caller died gives its lease back by time, and its late verdict counts no more', () => {
    const breaker = opened();
    const lost = admitted(breaker, 1_000);
    assert.equal(breaker.admit(1_000 + policy.probeLeaseMs - 1), null);
    const next = admitted(breaker, 1_000 + policy.probeLeaseMs);
    breaker.settle(lost, 'fault', 40_000);
    assert.equal(breaker.view(40_000).state, 'half_open');
    breaker.settle(next, 'ok', 40_000);
    assert.ok(breaker.isClosed);
  });

  test('failure 20: a probe whose caller gave up is no verdict, and the next call probes at once', () => {
    const breaker = opened();
    breaker.settle(admitted(breaker, 1_000), 'none', 1_001);
    assert.deepEqual(breaker.view(1_001), { state: 'half_open', reason: 'It failed.', retryAfterMs: 0 });
    breaker.settle(admitted(breaker, 1_001), 'ok', 1_002);
    assert.ok(breaker.isClosed);
  });

  test('calls that hung through an outage do not open it again after it', () => {
    const breaker = new Breaker(policy, () => 0);
    const hung = Array.from({ length: 100 }, () => admitted(breaker, 0));
    for (const ticket of hung.slice(0, 5)) breaker.settle(ticket, 'fault', 10);
    breaker.settle(admitted(breaker, 1_010), 'ok', 1_011);
    for (const ticket of hung.slice(5)) breaker.settle(ticket, 'fault', 1_012);
    assert.ok(breaker.isClosed);
  });

  test('more can be told of a call after its probe has closed the breaker', () => {
    const breaker = opened({ ...policy, faultsInRowMax: 1 });
    const stream = breaker.settle(admitted(breaker, 1_000), 'ok', 1_000);
    breaker.settle(stream, 'fault', 1_001, 'The stream broke.');
    assert.equal(breaker.view(1_001).reason, 'The stream broke.');
  });
});

type Step =
  | { readonly act: 'call' }
  | { readonly act: 'settle'; readonly which: number; readonly outcome: CallOutcome }
  | { readonly act: 'lose'; readonly which: number }
  | { readonly act: 'wait'; readonly ms: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<Step>({ act: 'call' }) },
    {
      weight: 4,
      arbitrary: fc.record({
        act: fc.constant('settle' as const),
        which: fc.nat(50),
        outcome: fc.constantFrom<CallOutcome>('ok', 'fault', 'fault', 'fault', 'none'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('lose' as const), which: fc.nat(50) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('wait' as const), ms: fc.nat(70_000) }) },
  ),
  { maxLength: 300 },
);

/** Runs random steps; `seen` looks after each. Gives the breaker, the time and the tickets still out. */
function run(all: readonly Step[], seed: number, seen: (breaker: Breaker, out: Ticket[], nowMs: number) => void) {
  const breaker = new Breaker(defaultBreakerPolicy, () => (seed % 1_000) / 1_000);
  const out: Ticket[] = [];
  const takenAt = new Map<Ticket, number>();
  let nowMs = 0;
  for (const step of all) {
    if (step.act === 'wait') nowMs += step.ms;
    if (step.act === 'call') {
      const ticket = breaker.admit(nowMs);
      if (ticket !== null) out.push(ticket);
      if (ticket !== null) takenAt.set(ticket, nowMs);
    }
    if (step.act === 'settle' || step.act === 'lose') {
      const [ticket] = out.splice(step.which % Math.max(1, out.length), 1);
      if (ticket !== undefined && step.act === 'settle') breaker.settle(ticket, step.outcome, nowMs, 'It failed.');
    }
    seen(
      breaker,
      out.filter((ticket) => nowMs - takenAt.get(ticket)! < defaultBreakerPolicy.probeLeaseMs),
      nowMs,
    );
  }
  return { breaker, nowMs };
}

describe('a circuit breaker, after any events', () => {
  test('failure 19: closes within a bounded time once the backend is healthy, with a prober and without traffic', () => {
    const { waitMaxMs, probeLeaseMs } = defaultBreakerPolicy;
    const tickMs = 1_000;
    fc.assert(
      fc.property(steps, fc.nat(), (all, seed) => {
        const { breaker, nowMs } = run(all, seed, () => {});
        const endMs = nowMs + Math.max(waitMaxMs, probeLeaseMs) + tickMs;
        for (let atMs = nowMs; atMs <= endMs && !breaker.isClosed; atMs += tickMs) {
          if (!breaker.isProbeDue(atMs)) continue;
          breaker.settle(admitted(breaker, atMs), 'ok', atMs);
        }
        assert.ok(breaker.isClosed, JSON.stringify(breaker.view(endMs)));
      }),
      { numRuns: 500 },
    );
  });

  test('has at most one probe under way, and never waits longer than its cap', () => {
    fc.assert(
      fc.property(steps, fc.nat(), (all, seed) => {
        run(all, seed, (breaker, out, nowMs) => {
          const { state, retryAfterMs } = breaker.view(nowMs);
          const epoch = Math.max(-1, ...out.map((ticket) => ticket.epoch));
          const probes = out.filter((ticket) => ticket.lease !== null && ticket.epoch === epoch);
          assert.ok(probes.length <= 1, 'one live lease');
          assert.ok(retryAfterMs <= defaultBreakerPolicy.waitMaxMs);
          assert.equal(state === 'closed', breaker.isClosed);
        });
      }),
      { numRuns: 500 },
    );
  });

  test('failure 20: is never opened by calls that worked or told nothing', () => {
    const outcomes = fc.array(fc.tuple(fc.constantFrom<CallOutcome>('ok', 'none'), fc.nat(10_000)), { maxLength: 200 });
    fc.assert(
      fc.property(outcomes, (all) => {
        const breaker = new Breaker({ ...defaultBreakerPolicy, faultsInRowMax: 1 }, () => 0);
        let nowMs = 0;
        for (const [outcome, ms] of all) {
          nowMs += ms;
          breaker.settle(admitted(breaker, nowMs), outcome, nowMs);
          assert.ok(breaker.isClosed);
        }
      }),
    );
  });
});
