import { knownBackend } from '../backends/test-known-backend.ts';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { MemoryObjectBackend } from '../backends/memory/memory.ts';
import type { ObjectBackend } from '../backends/backend.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { compressFrames } from '../compression/frames.ts';
import { ChunkSums } from '../content/chunk-sums.ts';
import { type ByteRange, chunksOf, smallContentBytes } from '../content/content.ts';
import { type Encoding, draftForm, encodeBuffer, encodeStream } from '../content/encode-body.ts';
import type { StoredForm } from '../content/form.ts';
import { newDataKey } from '../encryption/data-key.ts';
import { ObjectEncryption } from '../encryption/encryption.ts';
import type { Copy } from '../object.ts';
import { readCopy } from './read-copy.ts';

const { signal } = new AbortController();
const customerKey = { bytes: randomBytes(32), md5: '' };
const owner = { contentId: 'c', part: 1 };
const key = newDataKey(customerKey, owner);
const frameBytes = 65_536;

/** Bytes that shrink, and no two chunks of which are the same. */
function ownBytes(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at++) bytes[at] = at % 64 < 32 ? at % 64 : (at * 2_654_435_761) >>> 24;
  return bytes;
}

interface Stored {
  readonly own: Buffer;
  readonly body: Buffer;
  readonly form: StoredForm | null;
}

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* cut(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
}

/** As a stream is written. */
async function storedAsStream(own: Buffer, encoding: Encoding): Promise<Stored> {
  const place = { ...owner, sizeBytes: own.length };
  const draft = draftForm(encoding, place);
  if (draft === null) return { own, body: own, form: null };
  const body = await collect(encodeStream(cut(own), encoding, draft, place));
  const sums = draft.sums === null ? null : new ChunkSums(draft.sums.chunkBytes);
  sums?.add(body);
  return { own, body, form: { ...draft, crc32: crc32(body), sums: sums?.finish() ?? null } };
}

async function measured(own: Buffer) {
  const frames: number[] = [];
  for await (const frame of compressFrames(cut(own), frameBytes)) frames.push(frame.length);
  return { frameBytes, frames };
}

/** A content in every way that it can be written. */
async function everyWay(sizeBytes: number): Promise<Stored[]> {
  const own = ownBytes(sizeBytes);
  const place = { ...owner, sizeBytes };
  const ways: Stored[] = [];
  for (const one of [null, key]) {
    for (const compression of ['none', await measured(own)] as const) {
      ways.push(await storedAsStream(own, { key: one, compression }));
    }
    for (const compression of ['none', 'when-small'] as const) {
      ways.push({ own, ...(await encodeBuffer(own, { key: one, compression }, place)) });
    }
  }
  return ways;
}

/** A backend that gives all it reads as a stream, in pieces of odd lengths. */
function streaming(backend: MemoryObjectBackend): ObjectBackend {
  const get: ObjectBackend['get'] = async (name, range, within) => {
    const open = await backend.get(name, range, within);
    if (open === null || !Buffer.isBuffer(open.content)) return open;
    const { content } = open;
    async function* pieces(): AsyncGenerator<Buffer> {
      for (let at = 0; at < content.length; at += 9_999) yield content.subarray(at, at + 9_999);
    }
    return { ...open, content: pieces() };
  };
  return new Proxy<ObjectBackend>(backend, {
    get: (target, name) => (name === 'get' ? get : Reflect.get(target, name, target)),
  });
}

/** Copies of a content, the first of which is preferred. */
class Copies {
  readonly bad: string[] = [];
  readonly #copies: readonly Copy[];
  readonly #registry: ObjectBackendRegistry;

  constructor({ own, form }: Stored, bodies: readonly Buffer[], isStreamed: boolean) {
    const sizes = { sizeBytes: own.length, storedBytes: bodies[0]!.length + 4 };
    const all = bodies.map((body, index) => {
      const backend = new MemoryObjectBackend();
      backend.blobs.set('key', { bytes: Buffer.concat([body, Buffer.from('tail')]), modifiedAtMs: 0 });
      return knownBackend(`b${index}`, isStreamed ? streaming(backend) : backend, { latencyMs: index });
    });
    const rest = { ...owner, storageKey: 'key', ...sizes, crc32: crc32(own), form };
    this.#copies = all.map(({ name }) => ({ ...rest, backend: name }));
    const get = (name: string) => all.find((one) => one.name === name) ?? null;
    this.#registry = { all, get, refresh: async () => {}, close: async () => {} };
  }

  /** What was given out, and whether it came to an end. */
  async read(range: ByteRange): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
    const onBadCopy = ({ backend }: Copy, reason: string) => void this.bad.push(`${backend}: ${reason}`);
    const encryption = new ObjectEncryption(null);
    const pieces: Buffer[] = [];
    try {
      const options = { registry: this.#registry, signal, encryption, customerKey, onBadCopy };
      const { content } = await readCopy(this.#copies, range, options);
      for await (const piece of chunksOf(content)) pieces.push(piece);
    } catch {
      return { bytes: Buffer.concat(pieces), isWhole: false };
    }
    return { bytes: Buffer.concat(pieces), isWhole: true };
  }
}

const sizes = [1, 1_000, smallContentBytes - 1, smallContentBytes, smallContentBytes + 1, 3 * smallContentBytes + 7];
const contents = await Promise.all(sizes.map(everyWay));

/** A byte of a body and a range of what it was made of, near the ends of chunks as often as anywhere else. */
const share = fc.oneof(
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  fc.constantFrom(0, 0.25, 0.5, 0.75, 0.999_999),
);
const damages = fc.record({
  stored: fc.constantFrom(...contents.flat()),
  at: share,
  by: fc.integer({ min: 1, max: 255 }),
  from: share,
  to: share,
  isStreamed: fc.boolean(),
});

function caseOf({ stored, at, by, from, to }: { stored: Stored; at: number; by: number; from: number; to: number }) {
  const { own, body } = stored;
  const place = Math.floor(at * body.length);
  const changed = Buffer.from(body);
  changed[place]! ^= by;
  const offset = Math.floor(from * own.length);
  const range = { offset, length: 1 + Math.floor(to * (own.length - offset)) };
  return { changed, place, range, wanted: own.subarray(offset, offset + range.length) };
}

describe('a range of a copy of which a byte was changed', () => {
  test('is right or breaks off, in whatever form, and gives out no wrong byte unless all of it was asked for', async () => {
    await fc.assert(
      fc.asyncProperty(damages, async (damage) => {
        const { stored, isStreamed } = damage;
        const { changed, place, range, wanted } = caseOf(damage);
        const copies = new Copies(stored, [changed], isStreamed);
        const { bytes, isWhole } = await copies.read(range);
        if (isWhole) assert.ok(bytes.equals(wanted));
        // A plain whole is verified as it ends, and its last bytes are kept back until then.
        if (range.length < stored.own.length) assert.ok(bytes.equals(wanted.subarray(0, bytes.length)));
        else assert.ok(isWhole || bytes.length < wanted.length);
        const isPlain = stored.form === null || stored.form.sums !== null;
        if (isPlain && place >= range.offset && place < range.offset + range.length) assert.equal(isWhole, false);
        assert.equal(copies.bad.length, isWhole ? 0 : 1);
      }),
      { numRuns: 400 },
    );
  });

  test('is right when another copy is, unless right bytes were given out before it came to the changed one', async () => {
    await fc.assert(
      fc.asyncProperty(damages, async (damage) => {
        const { stored, isStreamed } = damage;
        const { changed, range, wanted } = caseOf(damage);
        fc.pre(range.length < stored.own.length);
        const { bytes, isWhole } = await new Copies(stored, [changed, stored.body], isStreamed).read(range);
        assert.ok(bytes.equals(isWhole ? wanted : wanted.subarray(0, bytes.length)));
        if (!isWhole) assert.ok(bytes.length > 0 && bytes.length < wanted.length);
        if (!isStreamed && range.length <= smallContentBytes / 2)
          assert.ok(isWhole || stored.own.length > bytes.length);
      }),
      { numRuns: 400 },
    );
  });

  test('tells which chunk it is, and is read from the next copy', async () => {
    const [stored] = contents.at(-1)!;
    const { own, body } = stored!;
    const changed = Buffer.from(body);
    changed[2 * smallContentBytes + 5]! ^= 1;
    for (const isStreamed of [true, false]) {
      const copies = new Copies(stored!, [changed, body], isStreamed);
      const range = { offset: 2 * smallContentBytes + 1_000, length: 2_000 };
      const { bytes } = await copies.read(range);
      assert.ok(bytes.equals(own.subarray(range.offset, range.offset + range.length)));
      assert.deepEqual(copies.bad, ['b0: chunk 2 of it was changed']);
      await copies.read({ offset: 2 * smallContentBytes - 10, length: 10 });
      assert.equal(copies.bad.length, 1, 'the chunk before it was not changed');
    }
  });

  test('is not that of another content which stands in its place and is as long in each frame', async () => {
    const [one, other] = await Promise.all(
      [1, 2].map(async (fill) => {
        const own = Buffer.alloc(3 * frameBytes, fill);
        return storedAsStream(own, { key: null, compression: await measured(own) });
      }),
    );
    assert.deepEqual(one!.form!.zstd, other!.form!.zstd);
    const copies = new Copies(one!, [other!.body, one!.body], false);
    assert.deepEqual((await copies.read({ offset: 10, length: 3 })).bytes, Buffer.alloc(3, 1));
    assert.deepEqual(copies.bad, ['b0: its checksum is wrong']);
  });

  test('is verified by its length alone where an earlier release wrote it longer than a chunk', async () => {
    const own = ownBytes(smallContentBytes + 1);
    const changed = Buffer.from(own);
    changed[10]! ^= 1;
    const copies = new Copies({ own, body: own, form: null }, [changed], false);
    assert.deepEqual(await copies.read({ offset: 5, length: 10 }), { bytes: changed.subarray(5, 15), isWhole: true });
    assert.deepEqual((await copies.read({ offset: 0, length: own.length })).isWhole, false);
  });
});
