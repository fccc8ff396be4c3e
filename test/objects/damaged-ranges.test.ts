import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ByteRange, chunksOf } from '../../src/objects/content/content.ts';
import type { CopyRow } from '../../src/objects/tables.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, beginUpload, complete, copy, put, putPart, read } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';
import { testRootKeys } from './test-keys.ts';

const partBytes = 5 * 1024 ** 2;
const chunkBytes = 262_144;

/** Bytes that shrink, and no two chunks of which are the same. */
function bytesOf(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at++) bytes[at] = at % 64 < 32 ? at % 64 : (at * 2_654_435_761) >>> 24;
  return bytes;
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

async function readRange({ gateway }: Lab, bucket: string, key: string, range: ByteRange): Promise<Buffer> {
  const signal = AbortSignal.timeout(30_000);
  const { content } = await gateway.objects.open({ bucket, key, range: () => range, signal });
  const pieces: Buffer[] = [];
  for await (const piece of chunksOf(content)) pieces.push(piece);
  return Buffer.concat(pieces);
}

function copiesIn(lab: Lab, backend: string): Promise<CopyRow[]> {
  const statement = 'select * from copies where backend = ? order by content_id, part';
  return lab.store.read((reader) => reader.rows<CopyRow>(statement, [backend]));
}

/** Changes a byte of each copy on the first backend; gives how to undo it. */
async function spoil(lab: Lab, at: (copy: CopyRow) => number): Promise<() => void> {
  const [{ backend }] = lab.backends as [Lab['backends'][number]];
  const before = new Map(backend.blobs);
  for (const copyRow of await copiesIn(lab, 'm1')) {
    const blob = backend.blobs.get(copyRow.storage_key)!;
    const bytes = Buffer.from(blob.bytes);
    bytes[at(copyRow)]! ^= 0x10;
    backend.blobs.set(copyRow.storage_key, { ...blob, bytes });
  }
  return () => {
    for (const [key, blob] of before) backend.blobs.set(key, blob);
  };
}

/** An object in each way that it can be written: small, in a stream, in parts, shared, compressed and encrypted. */
async function fill(lab: Lab): Promise<Map<string, Buffer>> {
  const two = { copies: 2, durability: 'all' } as const;
  await lab.bucket('plain', two);
  await lab.bucket('packed', { ...two, compression: 'zstd' });
  await lab.bucket('safe', { ...two, encryption: { kind: 'aes256' } });
  const objects = new Map<string, Buffer>();
  for (const bucket of ['plain', 'packed', 'safe']) {
    for (const sizeBytes of [1_000, chunkBytes, 3 * chunkBytes + 7]) {
      const bytes = bytesOf(sizeBytes);
      const key = `${sizeBytes}`;
      await put(lab, bucket, key, sizeBytes > chunkBytes ? inChunks(bytes) : bytes, { sizeBytes });
      objects.set(`${bucket}/${key}`, bytes);
    }
    const upload = await beginUpload(lab, bucket, 'parts');
    const bytes = bytesOf(partBytes + 1_000);
    const first = await putPart(lab, upload, 1, inChunks(bytes.subarray(0, partBytes)), partBytes);
    const second = await putPart(lab, upload, 2, bytes.subarray(partBytes));
    await complete(lab, upload, [first, second]);
    objects.set(`${bucket}/parts`, bytes);
  }
  await copy(lab, ['plain', 'parts'], ['plain', 'shared']);
  objects.set('plain/shared', objects.get('plain/parts')!);
  return objects;
}

/** Ranges around the ends of chunks, and all but the ends. */
function rangesOf({ length }: Buffer): ByteRange[] {
  const ends = [0, chunkBytes, 2 * chunkBytes, partBytes, length];
  const starts = ends.flatMap((end) => [end - 1, end]).filter((offset) => offset >= 0 && offset < length - 1);
  const around = starts.flatMap((offset) => [1, 50].map((bytes) => ({ offset, length: bytes })));
  const inside = around.filter((range) => range.offset + range.length <= length);
  return length > 2 ? [...inside, { offset: 1, length: length - 2 }] : inside;
}

onEveryStore('ranges of damaged copies', (engine) => {
  test('are never served wrong: they break off where there is no other copy, and are right where there is', async () => {
    const lab = await openLab(engine, labBackends(2), testRootKeys('root'));
    const objects = await fill(lab);
    const second = lab.backends[1]!.backend;
    let refused = 0;
    for (const at of [
      () => 0,
      ({ stored_bytes: bytes }: CopyRow) => Math.min(chunkBytes, bytes - 1),
      ({ size_bytes: bytes, form }: CopyRow) => (form?.includes('zstd') === true ? 500 : Number(bytes) - 1),
    ]) {
      const undo = await spoil(lab, at);
      second.faults.push({ verb: 'get', times: Number.POSITIVE_INFINITY, effect: 'fail' });
      for (const [name, bytes] of objects) {
        const [bucket, key] = name.split('/') as [string, string];
        for (const range of rangesOf(bytes)) {
          const served = await readRange(lab, bucket, key, range).catch(() => null);
          if (served === null) refused++;
          else assert.ok(served.equals(bytes.subarray(range.offset, range.offset + range.length)), name);
        }
      }
      undo();
      second.faults.length = 0;
    }
    assert.ok(refused > 3 * objects.size, `${refused} ranges were refused`);
    assert.ok(lab.problems.some((problem) => /^m1: chunk 1 of it was changed$/.test(problem)));
    await lab.gateway.badCopies.settle();
    await spoil(lab, () => 0);
    for (const [name, bytes] of objects) {
      const [bucket, key] = name.split('/') as [string, string];
      const served = await readRange(lab, bucket, key, { offset: 1, length: 500 });
      assert.ok(served.equals(bytes.subarray(1, 501)), name);
    }
    await lab.gateway.badCopies.settle();
    // A read found some of them out, and what no read came by the scrubber does.
    lab.clock.advance(31 * 86_400_000);
    await lab.keepers().scrubber.run(new AbortController().signal);
    await assertClean(lab);
    await lab.close();
  });

  test('make no part of an upload, and no object of a bucket that demands other bytes', async () => {
    const lab = await openLab(engine, labBackends(1), testRootKeys('root'));
    await lab.bucket('b');
    const bytes = bytesOf(3 * chunkBytes);
    await put(lab, 'b', 'k', inChunks(bytes), { sizeBytes: bytes.length });
    const undo = await spoil(lab, () => chunkBytes + 10);
    await lab.bucket('safe', { encryption: { kind: 'aes256' } });
    await assert.rejects(copy(lab, ['b', 'k'], ['safe', 'k']));
    const upload = await beginUpload(lab, 'b', 'parts');
    const options = { signal: AbortSignal.timeout(30_000), actor: 'tester' };
    const from = (range: ByteRange | null) => ({ ref: { bucket: 'b', key: 'k' }, range, conditions: {} });
    const { uploads } = lab.gateway;
    for (const range of [null, { offset: 5, length: 2 * chunkBytes }, { offset: chunkBytes, length: 5 }]) {
      await assert.rejects(uploads.copyPart(upload, 1, from(range), options));
    }
    const first = await uploads.copyPart(upload, 1, from({ offset: 5, length: chunkBytes - 5 }), options);
    undo();
    const second = await uploads.copyPart(upload, 2, from({ offset: chunkBytes, length: 5 }), options);
    await lab.gateway.badCopies.settle();
    await assert.rejects(complete(lab, upload, [first, second]), 'the first part is too small');
    await complete(lab, upload, [second]);
    assert.ok((await read(lab, 'b', 'parts')).equals(bytes.subarray(chunkBytes, chunkBytes + 5)));
    await copy(lab, ['b', 'k'], ['safe', 'k']);
    assert.ok((await read(lab, 'safe', 'k')).equals(bytes));
    await assertClean(lab);
    await lab.close();
  });

  test('are told by the checksums that go with each copy to another backend', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 1 });
    const bytes = bytesOf(3 * chunkBytes);
    await put(lab, 'b', 'k', inChunks(bytes), { sizeBytes: bytes.length });
    const [written] = [...(await copiesIn(lab, 'm1')), ...(await copiesIn(lab, 'm2'))];
    const { crc32s } = (JSON.parse(written!.form!) as { sums: { crc32s: string } }).sums;
    assert.equal(Buffer.from(crc32s, 'base64').length, 3 * 4);
    const to = written!.backend === 'm1' ? 'm2' : 'm1';
    await lab.setState(written!.backend, 'draining');
    await lab.settle();
    const [moved] = await copiesIn(lab, to);
    assert.equal(moved!.form, written!.form);
    assert.deepEqual(await copiesIn(lab, written!.backend), []);
    await assertClean(lab);
    await lab.close();
  });
});
