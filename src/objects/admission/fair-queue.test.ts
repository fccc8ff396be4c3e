import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { s3CodeOf } from '../errors.ts';
import { FairQueue, type FairQueueOptions, type Release } from './fair-queue.ts';

interface Entry {
  readonly lane: string;
  readonly number: number;
  readonly control: AbortController;
  state: 'waiting' | 'working' | 'refused' | 'done';
  release: Release | null;
  error: unknown;
}

/** A queue with all who asked, and the order in which they were let in. */
class Line {
  readonly queue: FairQueue;
  readonly entries: Entry[] = [];
  readonly order: string[] = [];

  constructor(options: Partial<FairQueueOptions> = {}) {
    this.queue = new FairQueue({ places: 1, waitingMax: 1_000, waitMs: 60_000, ...options });
  }

  async ask(lane: string): Promise<Entry> {
    const control = new AbortController();
    const number = this.entries.length;
    const entry: Entry = { lane, number, control, state: 'waiting', release: null, error: null };
    this.entries.push(entry);
    void this.#enter(entry);
    await turn();
    return entry;
  }

  async #enter(entry: Entry): Promise<void> {
    try {
      entry.release = await this.queue.enter(entry.lane, () => entry.control.signal);
      entry.state = 'working';
      this.order.push(entry.lane);
    } catch (error) {
      Object.assign(entry, { state: 'refused', error });
    }
  }

  async end(entry: Entry): Promise<void> {
    entry.release!();
    entry.state = 'done';
    await turn();
  }

  all(state: Entry['state'], lane?: string): Entry[] {
    return this.entries.filter((entry) => entry.state === state && (lane === undefined || entry.lane === lane));
  }

  /** Ends all who work, again and again, until nobody is left. */
  async finish(): Promise<void> {
    for (let [first] = this.all('working'); first !== undefined; [first] = this.all('working')) await this.end(first);
  }
}

describe('a fair queue', () => {
  test('lets lanes take turns, each in its own order', async () => {
    const line = new Line();
    for (const lane of ['a', 'a', 'a', 'a', 'b', 'b', 'c']) await line.ask(lane);
    await line.finish();
    assert.deepEqual(line.order, ['a', 'b', 'c', 'a', 'b', 'a', 'a']);
    assert.deepEqual([line.queue.busy, line.queue.waiting], [0, 0]);
  });

  test('refuses the last one of the longest lane when too many wait', async () => {
    const line = new Line({ waitingMax: 3 });
    for (const lane of ['a', 'a', 'a', 'a', 'b']) await line.ask(lane);
    assert.deepEqual(
      line.all('refused').map(({ lane, number, error }) => [lane, number, s3CodeOf(error)]),
      [['a', 3, 'SlowDown']],
    );
    await line.ask('a');
    assert.equal(line.all('refused').length, 2);
    await line.finish();
    assert.deepEqual(line.order, ['a', 'b', 'a', 'a']);
  });

  test('refuses who waited too long', async () => {
    const line = new Line({ waitMs: 5 });
    await line.ask('a');
    const refused = line.queue.enter('b', () => new AbortController().signal);
    await assert.rejects(refused, { details: { s3: 'SlowDown', http_status: 503 } });
    await line.finish();
    assert.deepEqual(line.order, ['a']);
  });

  test('leaves places to others that one lane may not have, and gives them to nobody else', async () => {
    const line = new Line({ places: 4, laneShareMax: 0.5 });
    for (let time = 0; time < 6; time++) await line.ask('a');
    assert.equal(line.all('working').length, 2);
    await line.ask('b');
    assert.equal(line.all('working', 'b').length, 1, 'it does not wait for a slow lane');
    await line.finish();
    assert.equal(line.all('done').length, 7);
  });

  test('whatever comes, goes and gives up: bounds hold, turns are kept and nobody who waits is forgotten', async () => {
    const lanes = fc.constantFrom('a', 'b', 'c', 'd');
    const act = fc.oneof(
      { weight: 4, arbitrary: fc.record({ what: fc.constant('ask' as const), lane: lanes }) },
      { weight: 3, arbitrary: fc.record({ what: fc.constant('end' as const), pick: fc.nat(99) }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constant('abort' as const), pick: fc.nat(99) }) },
    );
    const shapes = fc.record({
      places: fc.integer({ min: 1, max: 4 }),
      waitingMax: fc.integer({ min: 1, max: 12 }),
      laneShareMax: fc.constantFrom(0.5, 0.75, 1),
    });
    await fc.assert(
      fc.asyncProperty(shapes, fc.array(act, { maxLength: 80 }), async (shape, acts) => {
        const line = new Line(shape);
        const laneMax = Math.max(1, Math.ceil(shape.places * shape.laneShareMax));
        for (const one of acts) {
          const before = line.order.length;
          const waited = new Map(['a', 'b', 'c', 'd'].map((lane) => [lane, line.all('waiting', lane).length]));
          const working = line.all('working');
          const waiting = line.all('waiting');
          if (one.what === 'ask') await line.ask(one.lane);
          else if (one.what === 'end' && working.length > 0) await line.end(working[one.pick % working.length]!);
          else if (one.what === 'abort' && waiting.length > 0) {
            waiting[one.pick % waiting.length]!.control.abort(new Error('gone'));
            await turn();
          }
          holds(line, shape, laneMax);
          // Of those who could have had it, the place went to one.
          for (const lane of line.order.slice(before)) assert.ok(one.what === 'ask' || waited.get(lane)! > 0);
        }
        turnsAreKept(line);
        await line.finish();
        assert.equal(line.all('waiting').length, 0, 'somebody was never called');
        assert.deepEqual([line.queue.busy, line.queue.waiting], [0, 0]);
      }),
      { numRuns: 150 },
    );
  });

  test('a lane is served once between two turns of any other while both wait', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 5, maxLength: 40 }), async (asked) => {
        const line = new Line();
        for (const lane of asked) await line.ask(lane);
        const left = new Map<string, number>();
        for (const lane of asked.slice(1)) left.set(lane, (left.get(lane) ?? 0) + 1);
        await line.finish();
        let since = new Map<string, number>();
        for (const lane of line.order.slice(1)) {
          left.set(lane, left.get(lane)! - 1);
          for (const [other, count] of left) {
            if (count > 0 && other !== lane) since.set(`${other} ${lane}`, (since.get(`${other} ${lane}`) ?? 0) + 1);
          }
          assert.ok(
            [...since.values()].every((times) => times <= 1),
            `${lane} in ${line.order.join('')}`,
          );
          since = new Map([...since].filter(([pair]) => !pair.startsWith(`${lane} `)));
        }
      }),
      { numRuns: 60 },
    );
  });
});

function holds(line: Line, { places, waitingMax }: Pick<FairQueueOptions, 'places' | 'waitingMax'>, laneMax: number) {
  const working = line.all('working');
  const waiting = line.all('waiting');
  assert.equal(line.queue.busy, working.length);
  assert.equal(line.queue.waiting, waiting.length);
  assert.ok(working.length <= places && waiting.length <= waitingMax);
  for (const { lane } of working) assert.ok(line.all('working', lane).length <= laneMax);
  // No lost wake-up: who waits either finds no place or has all that its lane may have.
  for (const { lane } of waiting) {
    assert.ok(working.length === places || line.all('working', lane).length === laneMax, `${lane} waits for nothing`);
  }
}

/** Within a lane whoever came first is let in first. */
function turnsAreKept(line: Line): void {
  for (const lane of ['a', 'b', 'c', 'd']) {
    const late = line.entries.filter((entry) => entry.lane === lane && entry.state !== 'refused');
    const firstWaiting = late.findIndex(({ state }) => state === 'waiting');
    if (firstWaiting < 0) continue;
    assert.ok(late.slice(firstWaiting).every(({ state }) => state === 'waiting'));
  }
}
