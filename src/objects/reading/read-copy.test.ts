import { knownBackend } from '../backends/test-known-backend.ts';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import type { ObjectFault } from '../backends/memory/faults.ts';
import { MemoryObjectBackend } from '../backends/memory/memory.ts';
import type { UsageMeter } from '../backends/usage.ts';
import { sumsOf } from '../content/chunk-sums.ts';
import { type ByteRange, chunksOf } from '../content/content.ts';
import type { StoredForm } from '../content/form.ts';
import { ObjectEncryption } from '../encryption/encryption.ts';
import type { Copy } from '../object.ts';
import { readCopy } from './read-copy.ts';

const signal = new AbortController().signal;
const encryption = new ObjectEncryption(null);

/** One content with a copy on each of several backends, quickest first. */
class Copies {
  readonly backends: readonly MemoryObjectBackend[];
  readonly copies: readonly Copy[];
  readonly bad: string[] = [];
  /** Backends with a monthly limit that is reached. */
  readonly over = new Map<string, UsageMeter>();
  readonly #registry: ObjectBackendRegistry;

  constructor(bytes: Buffer, count: number) {
    this.backends = Array.from({ length: count }, () => new MemoryObjectBackend());
    const blob = { bytes: Buffer.concat([bytes, Buffer.from('description')]), modifiedAtMs: 0 };
    for (const backend of this.backends) backend.blobs.set('key', blob);
    const sizes = { sizeBytes: bytes.length, storedBytes: blob.bytes.length };
    const rest = { contentId: 'c', part: 1, storageKey: 'key', ...sizes, crc32: crc32(bytes), form: formOf(bytes) };
    this.copies = this.backends.map((_, index) => ({ ...rest, backend: `b${index}` }));
    const all = this.backends.map((backend, index) => {
      const name = `b${index}`;
      const isOver: KnownBackend['isOver'] = (meter) => this.over.get(name) === meter;
      return knownBackend(name, backend, { latencyMs: index, isOver });
    });
    const get = (name: string) => all.find((one) => one.name === name) ?? null;
    this.#registry = { all, get, refresh: async () => {}, close: async () => {} };
  }

  async read(range: ByteRange | null = null): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of chunksOf((await this.open(range)).content)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  open(range: ByteRange | null = null) {
    const onBadCopy = ({ backend }: Copy, reason: string) => void this.bad.push(`${backend}: ${reason}`);
    return readCopy(this.copies, range, { registry: this.#registry, signal, encryption, onBadCopy });
  }
}

/** As it is written now. */
function formOf(bytes: Buffer): StoredForm | null {
  const sums = sumsOf(bytes);
  return sums === null ? null : { bodyBytes: bytes.length, crc32: crc32(bytes), zstd: null, sealed: null, sums };
}

const bytesOf = (length: number) => Buffer.from(Array.from({ length }, (_, index) => (index * 7) % 251));
const large = bytesOf(400_000);
const small = bytesOf(1_000);
const once = (effect: ObjectFault['effect'], afterBytes?: number): ObjectFault => ({
  verb: 'get',
  times: 1,
  effect,
  ...(afterBytes === undefined ? {} : { afterBytes }),
});

describe('reading one of several copies', () => {
  test('goes to where no monthly limit of requests or bytes read is reached, and only else beyond it', async () => {
    for (const meter of ['requests', 'egress'] as const) {
      const at = new Copies(small, 2);
      at.over.set('b0', meter);
      at.backends[0]!.blobs.clear();
      assert.ok((await at.read()).equals(small));
      assert.deepEqual(at.bad, [], 'the quicker one was not asked');
      at.over.set('b1', meter);
      assert.ok((await at.read()).equals(small), 'a limit is no reason for an error');
    }
    const at = new Copies(small, 2);
    at.over.set('b0', 'ingress');
    at.backends[1]!.blobs.clear();
    assert.ok((await at.read()).equals(small), 'a limit on what is written is none on reading');
    assert.deepEqual(at.bad, []);
  });

  test('fails over as long as no byte was given out', async () => {
    for (const [bytes, fault, isBad] of [
      [large, once('fail'), false],
      [large, once('unreachable'), false],
      [large, once('break', 0), false],
      [large, once('truncate', 0), true],
      [large, once('break', 30_000), false],
      [large, once('shrink', 10), true],
      [small, once('truncate', 10), true],
      [small, once('corrupt', 10), true],
      [small, once('shrink', 1_000), true],
    ] as const) {
      const copies = new Copies(bytes, 2);
      copies.backends[0]!.faults.push(fault);
      assert.deepEqual(await copies.read(), bytes, fault.effect);
      assert.equal(copies.bad.length, isBad ? 1 : 0, `${fault.effect}: ${copies.bad.join()}`);
    }
    const copies = new Copies(large, 2);
    copies.backends[0]!.blobs.clear();
    assert.deepEqual(await copies.read(), large);
    assert.deepEqual(copies.bad, ['b0: it is not there']);
  });

  test('failure 14: a copy that breaks, ends early or is damaged never ends as if it were whole', async () => {
    for (const effect of ['break', 'truncate', 'corrupt'] as const) {
      for (const afterBytes of [131_072, 200_000, 399_999]) {
        const copies = new Copies(large, 1);
        copies.backends[0]!.faults.push(once(effect, afterBytes));
        const { content } = await copies.open();
        let given = 0;
        const reading = (async () => {
          for await (const chunk of chunksOf(content)) given += chunk.length;
        })();
        await assert.rejects(reading, { kind: 'backend' }, `${effect} after ${afterBytes}`);
        assert.ok(given < large.length, 'the last bytes were kept back');
      }
    }
  });

  test('whatever goes wrong with the copies, what is read to its end is right', async () => {
    const effects = fc.constantFrom('none', 'fail', 'break', 'truncate', 'corrupt', 'shrink', 'unreachable');
    const faults = fc.array(fc.record({ effect: effects, at: fc.nat({ max: 99 }) }), { minLength: 1, maxLength: 3 });
    const sizes = fc.constantFrom(0, 1, 1_000, 65_536, 65_537, 400_000);
    await fc.assert(
      fc.asyncProperty(sizes, faults, fc.option(fc.tuple(fc.nat(), fc.nat())), async (sizeBytes, wrong, cut) => {
        const offset = cut === null ? 0 : cut[0] % Math.max(1, sizeBytes);
        const length = cut === null ? sizeBytes : Math.min(sizeBytes - offset, 1 + (cut[1] % (sizeBytes - offset + 1)));
        const bytes = bytesOf(sizeBytes);
        const copies = new Copies(bytes, wrong.length);
        for (const [index, { effect, at }] of wrong.entries()) {
          if (effect === 'none') continue;
          copies.backends[index]!.faults.push(once(effect, Math.floor((sizeBytes * at) / 100)));
        }
        const read = await copies.read(cut === null ? null : { offset, length }).catch(() => null);
        if (read !== null) assert.ok(read.equals(bytes.subarray(offset, offset + length)));
        // With a copy that works, only what was already given out can be in the way of it.
        if (sizeBytes <= 65_536 && wrong.some(({ effect }) => effect === 'none')) assert.ok(read !== null);
      }),
      { numRuns: 120 },
    );
  });

  test('a range is never shorter than it was asked for', async () => {
    const range = { offset: 100_000, length: 200_000 };
    assert.deepEqual(await new Copies(large, 1).read(range), large.subarray(100_000, 300_000));
    for (const [effect, afterBytes] of [
      ['truncate', 150_000],
      ['truncate', 0],
      ['break', 150_000],
      ['shrink', 250_000],
    ] as const) {
      const copies = new Copies(large, 1);
      copies.backends[0]!.faults.push(once(effect, afterBytes));
      await assert.rejects(copies.read(range), `${effect} after ${afterBytes}`);
    }
  });

  test('tells when none can be read', async () => {
    const copies = new Copies(small, 3);
    for (const backend of copies.backends) backend.faults.push(once('fail'));
    await assert.rejects(copies.read(), { details: { s3: 'ServiceUnavailable', http_status: 503 } });
    assert.deepEqual(await copies.read(), small);
  });
});
