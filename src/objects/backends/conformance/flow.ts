import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MIB, type SourceRecord, bytesOf, chunked, freshChunks } from './sources.ts';
import { type Suite, assertSameBytes, isExcused, newRoot } from './suite.ts';

const STREAM_BYTES = 64 * MIB;
const CHUNK_BYTES = 65_536;
/** What may be alive at once of a stream: chunks ahead of their reader, and buffers of sockets and of the pool. */
const ALIVE_BYTES_MAX = 20 * MIB;
const LOOK_BYTES = 4 * MIB;
const AT_ONCE = 20;

/** The pace of streams, and many of them at once. */
export function flowTests(suite: Suite): void {
  it('holds no whole blob in memory while it is put (failure 23)', async (t) => {
    if (isExcused(t, inMemory(suite))) return;
    const meter = new MemoryMeter();
    const source = freshChunks(STREAM_BYTES, CHUNK_BYTES, (record) => meter.look(record.pulledBytes));
    await suite.put(suite.key(), source, STREAM_BYTES);
    t.diagnostic(`at most ${meter.peakBytes} bytes alive in ${meter.looks} looks`);
    assert.ok(meter.looks >= STREAM_BYTES / LOOK_BYTES - 1);
    assert.ok(meter.peakBytes < ALIVE_BYTES_MAX, `${meter.peakBytes} bytes were alive at once`);
  });

  it('holds no whole blob in memory while it is read, even by a slow reader (failure 23)', async (t) => {
    if (isExcused(t, inMemory(suite))) return;
    const key = suite.key();
    await suite.put(
      key,
      freshChunks(STREAM_BYTES, CHUNK_BYTES, () => undefined),
      STREAM_BYTES,
    );
    const meter = new MemoryMeter();
    const { content } = await suite.open(key);
    assert.ok(!Buffer.isBuffer(content), 'what is large is a sequence');
    let readBytes = 0;
    for await (const chunk of content) {
      readBytes += chunk.length;
      // A slow reader: whoever reads ahead without a bound has the time for it.
      for (let pause = 0; pause < 20; pause++) await turn();
      meter.look(readBytes);
    }
    assert.equal(readBytes, STREAM_BYTES);
    t.diagnostic(`at most ${meter.peakBytes} bytes alive in ${meter.looks} looks`);
    assert.ok(meter.peakBytes < ALIVE_BYTES_MAX, `${meter.peakBytes} bytes were alive at once`);
  });

  it('pulls from a source only at the pace of the real system: one chunk is asked for at a time', async () => {
    let asked = 0;
    let askedAtOnce = 0;
    const bytes = bytesOf(MIB);
    const chunks = chunked(bytes, [CHUNK_BYTES]);
    const counting: AsyncIterable<Buffer> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          askedAtOnce = Math.max(askedAtOnce, ++asked);
          await turn();
          asked--;
          return chunks.next();
        },
      }),
    };
    const key = suite.key();
    await suite.put(key, counting, MIB);
    assert.equal(askedAtOnce, 1);
    await suite.mustHold(key, bytes);
  });

  it('lets go of a source when it is done with it', async () => {
    const record: SourceRecord = { pulledBytes: 0, isReleased: false };
    const source = freshChunks(MIB, CHUNK_BYTES, () => undefined, record);
    await suite.put(suite.key(), source, MIB);
    assert.deepEqual(record, { pulledBytes: MIB, isReleased: true });
  });

  it(`puts and gets ${AT_ONCE} blobs at once, small and large`, async () => {
    const root = newRoot();
    const sizes = Array.from({ length: AT_ONCE }, (_, index) => (index % 4 === 0 ? 2 * MIB + index : 4096 + index));
    const bytesFor = (index: number) => bytesOf(sizes[index]!, `blob ${index}`);
    const put = (_: number, index: number) => {
      const bytes = bytesFor(index);
      const content = index % 2 === 0 ? chunked(bytes, [CHUNK_BYTES]) : bytes;
      return suite.put(`${root}/${index}`, content, bytes.length);
    };
    await Promise.all(sizes.map(put));
    const reads = sizes.map(async (_, index) => {
      assertSameBytes(await suite.read(`${root}/${index}`), bytesFor(index));
    });
    await Promise.all([...reads, ...sizes.map(put)]);
    const deleted = await Promise.all(sizes.map((_, index) => suite.delete(`${root}/${index}`)));
    assert.deepEqual(
      deleted,
      sizes.map(() => 'deleted'),
    );
  });
}

function inMemory(suite: Suite): string | undefined {
  return suite.options.holdsBlobsInMemory === true ? 'the backend holds its blobs in memory' : undefined;
}

/** Measures how many bytes of buffers are alive, without garbage, above what there was at first. */
class MemoryMeter {
  readonly #collectGarbage = garbageCollector();
  readonly #baseBytes: number;
  #nextLookAt = 0;
  peakBytes = 0;
  looks = 0;

  constructor() {
    this.#baseBytes = this.#aliveBytes();
  }

  /** Measures when the stream has come another few megabytes. */
  look(streamedBytes: number): void {
    if (streamedBytes < this.#nextLookAt) return;
    this.#nextLookAt = streamedBytes + LOOK_BYTES;
    this.looks++;
    this.peakBytes = Math.max(this.peakBytes, this.#aliveBytes() - this.#baseBytes);
  }

  #aliveBytes(): number {
    this.#collectGarbage();
    return process.memoryUsage().arrayBuffers;
  }
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
