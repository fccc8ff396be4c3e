import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { Fanout } from './fanout.ts';

const chunkBytes = 65_536;
/** What may wait for one reader, and the chunk that passes the bound. */
const waitingBytesMax = 524_288 + chunkBytes;

/** A source that tells how far it was read, and whether it was let go. */
class Source {
  chunksGiven = 0;
  isReleased = false;
  readonly #count: number;
  readonly #error: Error | null;

  constructor(count: number, error: Error | null = null) {
    this.#count = count;
    this.#error = error;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    try {
      for (let index = 0; index < this.#count; index++) {
        this.chunksGiven++;
        yield Buffer.alloc(chunkBytes, index);
      }
      if (this.#error !== null) throw this.#error;
    } finally {
      this.isReleased = true;
    }
  }
}

async function readAll(chunks: AsyncIterable<Buffer>, turns: () => number = () => 0): Promise<number[]> {
  const seen: number[] = [];
  for await (const chunk of chunks) {
    seen.push(chunk[0]!);
    for (let left = turns(); left > 0; left--) await turn();
  }
  return seen;
}

describe('one source for several readers', () => {
  test('gives each of them everything, at whatever pace they read', async () => {
    const paces = fc.array(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(paces, fc.integer({ min: 0, max: 40 }), async (turns, count) => {
        const fanout = new Fanout({ readers: turns.length, needed: turns.length, stallMs: 10_000 });
        const pumped = fanout.pump(new Source(count).chunks());
        const reads = turns.map((pace, index) => {
          let at = 0;
          return readAll(fanout.reader(index), () => pace[at++ % pace.length]!);
        });
        const wanted = Array.from({ length: count }, (_, index) => index);
        for (const read of reads) assert.deepEqual(await read, wanted);
        await pumped;
      }),
      { numRuns: 40 },
    );
  });

  test('reads the source no faster than its slowest reader', async () => {
    const source = new Source(500);
    const fanout = new Fanout({ readers: 2, needed: 2, stallMs: 60_000 });
    const pumped = fanout.pump(source.chunks());
    const fast = readAll(fanout.reader(0));
    let taken = 0;
    for await (const chunk of fanout.reader(1)) {
      taken += chunk.length;
      for (let left = 3; left > 0; left--) await turn();
      assert.ok(source.chunksGiven * chunkBytes - taken <= waitingBytesMax + chunkBytes, 'the source ran ahead');
    }
    assert.equal((await fast).length, 500);
    await pumped;
  });

  test('leaves a reader behind that stalls, when enough others go on', async () => {
    const fanout = new Fanout({ readers: 3, needed: 2, stallMs: 20 });
    const pumped = fanout.pump(new Source(100).chunks());
    const stalled = fanout.reader(2)[Symbol.asyncIterator]();
    await stalled.next();
    const reads = [readAll(fanout.reader(0)), readAll(fanout.reader(1))];
    for (const read of reads) assert.equal((await read).length, 100);
    await pumped;
    await assert.rejects(stalled.next(), { kind: 'unavailable' });
  });

  test('waits for a reader that stalls, when it is needed', async () => {
    const source = new Source(100);
    const fanout = new Fanout({ readers: 2, needed: 2, stallMs: 5 });
    const pumped = fanout.pump(source.chunks());
    const fast = readAll(fanout.reader(0));
    const slow = fanout.reader(1)[Symbol.asyncIterator]();
    await slow.next();
    const beganAt = performance.now();
    while (performance.now() - beganAt < 50) await turn();
    assert.ok(source.chunksGiven < 100);
    let rest = 1;
    while ((await slow.next()).done !== true) rest++;
    assert.equal(rest, 100);
    assert.equal((await fast).length, 100);
    await pumped;
  });

  test('goes on for the others when a reader fails, and lets the source go when all have', async () => {
    const source = new Source(1_000);
    const fanout = new Fanout({ readers: 2, needed: 1, stallMs: 60_000 });
    const pumped = fanout.pump(source.chunks());
    const first = fanout.reader(0)[Symbol.asyncIterator]();
    const second = fanout.reader(1)[Symbol.asyncIterator]();
    await first.next();
    fanout.giveUp(0);
    await assert.rejects(first.next(), { kind: 'unavailable' });
    for (let index = 0; index < 50; index++) assert.equal((await second.next()).value?.[0], index);
    fanout.giveUp(1);
    await pumped;
    assert.ok(source.isReleased && source.chunksGiven < 1_000);
  });

  test('failure 14: an error of the source becomes that of every reader, and none ends cleanly', async () => {
    const error = new Error('the client is gone');
    for (const count of [0, 1, 30]) {
      const fanout = new Fanout({ readers: 3, needed: 1, stallMs: 60_000 });
      const pumped = fanout.pump(new Source(count, error).chunks());
      const reads = await Promise.allSettled([0, 1, 2].map((index) => readAll(fanout.reader(index))));
      for (const read of reads) assert.deepEqual(read, { status: 'rejected', reason: error });
      await assert.rejects(pumped, error);
    }
  });
});
