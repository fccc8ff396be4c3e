import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { until } from '../../../test/support/wait.ts';
import type { ReadHealthView } from '../backends/latency.ts';
import type { KnownBackend } from '../backends/registry.ts';
import { Hedging } from './hedge.ts';

const signal = new AbortController().signal;

/** A copy that the test opens, and how long its backend usually takes. */
class Candidate {
  readonly known: KnownBackend;
  readonly name: string;
  readonly health: { costMs: number; p95Ms: number | null; isProbeDue: boolean; beginProbe(): void };
  signal: AbortSignal | null = null;
  cancels = 0;
  #opening = opening();

  constructor(name: string, p95Ms: number | null, isWell = true) {
    this.name = name;
    const health = { costMs: 1, p95Ms, isProbeDue: false, beginProbe: () => void (health.isProbeDue = false) };
    this.health = health satisfies ReadHealthView;
    const known = { name, reads: health, isOpenFor: () => isWell, isOver: () => false };
    this.known = known as unknown as KnownBackend;
  }

  open(inside: AbortSignal): Promise<Open> {
    this.signal = inside;
    inside.addEventListener('abort', () => this.#opening.reject(inside.reason), { once: true });
    return this.#opening.promise;
  }

  come(): this {
    this.#opening.resolve({ name: this.name, cancel: () => void (this.cancels += 1) });
    return this;
  }

  fail(): this {
    this.#opening.reject(new Error(`${this.name} failed`));
    return this;
  }

  /** For another read. */
  again(): this {
    this.#opening = opening();
    this.signal = null;
    return this;
  }
}

interface Open {
  readonly name: string;
  cancel(): void;
}

function opening() {
  const resolvers = Promise.withResolvers<Open>();
  // One that nobody opens may fail as well.
  resolvers.promise.catch(() => {});
  return resolvers;
}

function read(hedging: Hedging, candidates: readonly Candidate[], errors: unknown[] = [], inside = signal) {
  const open = (candidate: Candidate, own: AbortSignal) => candidate.open(own);
  return hedging.open(candidates, open, inside, (error) => void errors.push(error));
}

describe('a hedged read', () => {
  test('opens another copy when the best is late by its own measure; the quicker wins, the other is cancelled', async () => {
    const hedging = new Hedging();
    const [slow, quick] = [new Candidate('slow', 10), new Candidate('quick', 10).come()];
    const beganAtMs = performance.now();
    assert.equal((await read(hedging, [slow, quick]))?.name, 'quick');
    assert.ok(performance.now() - beganAtMs >= 18, 'not before its bound, which is 20 ms at least');
    assert.equal(slow.signal!.aborted, true);
    assert.equal(quick.signal!.aborted, false);
    assert.deepEqual(hedging.counts, { hedges: 1, wins: 1, refusals: 0, probes: 0 });
  });

  test('is not hedged when the first comes in time', async () => {
    const hedging = new Hedging();
    const [first, other] = [new Candidate('first', 1_000).come(), new Candidate('other', 10)];
    assert.equal((await read(hedging, [first, other]))?.name, 'first');
    assert.deepEqual([other.signal, hedging.counts.hedges], [null, 0]);
  });

  test('lets the first win when it comes after all, and frees what the other opens later', async () => {
    const hedging = new Hedging();
    const [first, other] = [new Candidate('first', 10), new Candidate('other', 10)];
    const reading = read(hedging, [first, other]);
    await until('the other is opened', () => other.signal !== null);
    // Both at once: whoever was first keeps the read, and the one that is too late is let go.
    first.come();
    other.come();
    assert.equal((await reading)?.name, 'first');
    await until('it is let go', () => other.cancels === 1);
    assert.deepEqual([first.cancels, hedging.counts.wins], [0, 0]);
  });

  test('turns to the next at once when one fails, and never has more than two open', async () => {
    const errors: unknown[] = [];
    const [one, two, three] = [
      new Candidate('one', 1_000).fail(),
      new Candidate('two', 10),
      new Candidate('three', 10),
    ];
    const reading = read(new Hedging(), [one, two, three], errors);
    await until('the third is opened', () => three.signal !== null);
    two.fail();
    three.come();
    assert.equal((await reading)?.name, 'three');
    assert.deepEqual(errors.map(String), ['Error: one failed']);
  });

  test('goes on to the copies after both, and tells when none can be opened', async () => {
    const errors: unknown[] = [];
    const copies = ['one', 'two', 'three'].map((name) => new Candidate(name, 10));
    const reading = read(new Hedging(), copies, errors);
    await until('the second is opened', () => copies[1]!.signal !== null);
    for (const copy of copies) copy.fail();
    assert.equal(await reading, null);
    assert.deepEqual(errors.map(String), ['Error: two failed', 'Error: three failed']);
  });

  test('does not turn to a backend that is left alone', async () => {
    const hedging = new Hedging();
    const [first, broken] = [new Candidate('first', 10), new Candidate('broken', 10, false)];
    setTimeout(() => first.come(), 40);
    assert.equal((await read(hedging, [first, broken]))?.name, 'first');
    assert.deepEqual([broken.signal, hedging.counts.hedges], [null, 0]);
  });

  test('ends with its caller, and so do both copies', async () => {
    const control = new AbortController();
    const [one, two] = [new Candidate('one', 10), new Candidate('two', 10)];
    const reading = read(new Hedging(), [one, two], [], control.signal);
    await until('both are opened', () => two.signal !== null);
    control.abort(new Error('the client is gone'));
    await assert.rejects(reading, /the client is gone/);
    assert.ok(one.signal!.aborted && two.signal!.aborted);
  });

  test('is one of a bounded share, so that a day when all is slow does not double the load', async () => {
    const hedging = new Hedging();
    const reads = 120;
    for (let time = 0; time < reads; time++) {
      const [slow, other] = [new Candidate('slow', 1), new Candidate('other', 1)];
      const reading = read(hedging, [slow, other]);
      setTimeout(() => slow.come(), 22);
      if (time % 20 === 19) await reading;
    }
    await until('all are read', () => hedging.counts.hedges + hedging.counts.refusals > reads - 20);
    const { hedges, refusals } = hedging.counts;
    assert.ok(hedges >= 5 && hedges <= 5 + reads * 0.05, `${hedges} hedges`);
    assert.ok(refusals > 80, `${refusals} refusals`);
  });

  test('leaves a backend that is stuck, with however many reads, while another is quick', async () => {
    const hedging = new Hedging();
    const beganAtMs = performance.now();
    const reads = Array.from({ length: 40 }, () => {
      const candidates = [new Candidate('stuck', 10), new Candidate('quick', 10).come()];
      return read(hedging, candidates);
    });
    for (const opened of await Promise.all(reads)) assert.equal(opened?.name, 'quick');
    assert.ok(performance.now() - beganAtMs >= 1_900, 'those beyond the share waited for long');
    assert.equal(hedging.counts.wins, 40);
    assert.ok(hedging.counts.refusals >= 33, `${hedging.counts.refusals} refusals`);
  });

  test('measures what is passed over now and then, with the quick one at hand', async () => {
    const hedging = new Hedging();
    const [best, passedOver] = [new Candidate('best', 1), new Candidate('passed over', 1_000)];
    let began = 0;
    for (let time = 0; time < 300; time++) {
      passedOver.again().health.isProbeDue = true;
      best.again().come();
      const reading = read(hedging, [best, passedOver]);
      if (passedOver.signal !== null) began += 1;
      assert.equal((await reading)?.name, 'best', 'the quick one is opened beside it before long');
    }
    assert.equal(hedging.counts.probes, began);
    assert.ok(began >= 5 && began <= 8, `${began} of 300 reads began at the slow one`);
  });

  test('whatever comes, fails and gives up: one copy is given out, and everything else is let go', async () => {
    const fates = fc.array(fc.constantFrom('come', 'fail', 'late', 'fail late'), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fates, async (wanted) => {
        const copies = wanted.map((fate, number) => {
          const copy = new Candidate(`${number}`, 1);
          const act = () => (fate.startsWith('fail') ? copy.fail() : copy.come());
          if (fate.endsWith('late')) setTimeout(act, 30);
          else act();
          return copy;
        });
        const errors: unknown[] = [];
        const opened = await read(new Hedging(), copies, errors);
        assert.equal(
          opened === null,
          wanted.every((fate) => fate.startsWith('fail')),
        );
        for (const copy of copies) {
          const isGiven = copy.name === opened?.name;
          if (isGiven) assert.ok(!copy.signal!.aborted && copy.cancels === 0);
          else if (opened !== null && copy.signal !== null) {
            const failed = wanted[Number(copy.name)]!.startsWith('fail');
            assert.ok(failed || copy.signal.aborted || copy.cancels === 1, `${copy.name} was left open`);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
