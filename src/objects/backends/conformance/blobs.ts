import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MIB, bytesOf, chunked } from './sources.ts';
import { type ByteRange, chunksOf } from '../../content/content.ts';
import { type Suite, assertSameBytes } from './suite.ts';

const HOUR_MS = 3_600_000;

/** Round trips of whole blobs and of ranges. */
export function blobTests(suite: Suite): void {
  it('says in health what it is, and what room it has', async () => {
    const health = await suite.backend.health(suite.signal());
    assert.match(health.detail, /\w{3,}/);
    for (const bytes of [health.freeBytes, health.totalBytes]) assert.ok(bytes === null || bytes >= 0);
    const { blobBytesMax } = suite.backend.capabilities;
    assert.ok(blobBytesMax === null || blobBytesMax > 8 * MIB);
  });

  for (const sizeBytes of [0, 1, 4096, 262_144, 262_145, 3 * MIB + 7]) {
    it(`keeps a blob of ${sizeBytes} bytes, given as one buffer and as a sequence`, async () => {
      const bytes = bytesOf(sizeBytes);
      const whole = suite.key();
      await suite.put(whole, bytes);
      await suite.mustHold(whole, bytes);
      const parts = suite.key();
      await suite.put(parts, chunked(bytes, [100_003]), sizeBytes);
      await suite.mustHold(parts, bytes);
    });
  }

  it('keeps a blob of more than 8 MiB that comes in odd chunks, some of them empty', async () => {
    const bytes = bytesOf(9 * MIB + 13);
    const key = suite.key();
    await suite.put(key, chunked(bytes, [1, 0, 65_537, 3, 1_048_575, 0, 200_001]), bytes.length);
    await suite.mustHold(key, bytes);
  });

  it('tells when a blob was written', async () => {
    const key = suite.key();
    await suite.put(key, Buffer.from('x'));
    const facts = await suite.head(key);
    assert.ok(facts !== null && Number.isSafeInteger(facts.modifiedAtMs));
    assert.ok(Math.abs(facts.modifiedAtMs - Date.now()) < HOUR_MS, `${facts.modifiedAtMs} is now`);
    const { blobs } = await suite.backend.list({ prefix: key, limit: 1 }, suite.signal());
    assert.equal(blobs[0]?.key, key);
    assert.ok(Math.abs(blobs[0].modifiedAtMs - facts.modifiedAtMs) < 2000, 'to the second, the list says the same');
  });

  for (const sizeBytes of [10_000, 2 * MIB + 11]) {
    it(`gives ranges of a blob of ${sizeBytes} bytes`, async () => {
      const bytes = bytesOf(sizeBytes);
      const key = suite.key();
      await suite.put(key, bytes);
      const middle = Math.floor(sizeBytes / 2);
      const ranges: readonly (readonly [string, number, number])[] = [
        ['all', 0, sizeBytes],
        ['the first byte', 0, 1],
        ['the last byte', sizeBytes - 1, 1],
        ['one byte within', middle, 1],
        ['the first half', 0, middle],
        ['the second half', middle, sizeBytes - middle],
        ['all but the ends', 1, sizeBytes - 2],
      ];
      for (const [what, offset, length] of ranges) {
        const opened = await suite.open(key, { offset, length });
        assert.equal(opened.sizeBytes, sizeBytes, `${what}: the size is that of the whole`);
        opened.cancel();
        assertSameBytes(await suite.read(key, { offset, length }), bytes.subarray(offset, offset + length));
      }
    });
  }

  it('leaves memory that it was lent to its owner, who has what he read or wrote', async () => {
    for (const sizeBytes of [10, 100_000, 262_144, 300_000, 2 * MIB + 5]) {
      const key = suite.key();
      const bytes = bytesOf(sizeBytes);
      const written = Buffer.from(bytes);
      await suite.put(key, written);
      written.fill(0);
      const into = Buffer.alloc(524_288);
      const read = async (range: ByteRange | null) => {
        const opened = await suite.backend.get(key, range, suite.signal(), into);
        const copies: Buffer[] = [];
        for await (const chunk of chunksOf(opened!.content)) copies.push(Buffer.from(chunk));
        return Buffer.concat(copies);
      };
      assertSameBytes(await read(null), bytes);
      assertSameBytes(await read({ offset: 3, length: 5 }), bytes.subarray(3, 8));
      into.fill(0);
      await suite.mustHold(key, bytes);
    }
  });

  it('takes many at once that no client waits for', async () => {
    const keys = Array.from({ length: 40 }, () => suite.key());
    const put = (key: string) => {
      const bytes = Buffer.from(key);
      const options = { sizeBytes: bytes.length, signal: suite.signal(), isBackground: true };
      return suite.backend.put(key, bytes, options);
    };
    await Promise.all(keys.map(put));
    for (const key of keys) await suite.mustHold(key, Buffer.from(key));
  });

  it('takes a repeated put of a key for the same blob again, in turn and at once', async () => {
    const key = suite.key();
    const bytes = bytesOf(300_000);
    for (let turn = 0; turn < 2; turn++) await suite.put(key, bytes);
    await suite.mustHold(key, bytes);
    const puts = [1, 2, 3, 4].map(() => suite.put(key, chunked(bytes, [65_536]), bytes.length));
    await Promise.all(puts);
    await suite.mustHold(key, bytes);
    const { blobs } = await suite.backend.list({ prefix: key, limit: 10 }, suite.signal());
    assert.equal(blobs.length, 1);
  });

  it('takes absence for a value: null and "absent" (failure 20)', async () => {
    const key = suite.key();
    await suite.mustBeAbsent(key);
    assert.equal(await suite.get(key, { offset: 5, length: 5 }), null);
    assert.equal(await suite.delete(key), 'absent');
  });

  it('deletes a blob, once', async () => {
    const [key, other] = [suite.key(), suite.key()];
    for (const each of [key, other]) await suite.put(each, Buffer.from(each));
    assert.equal(await suite.delete(key), 'deleted');
    await suite.mustBeAbsent(key);
    assert.equal(await suite.delete(key), 'absent');
    await suite.mustHold(other, Buffer.from(other));
    await suite.put(key, Buffer.from('again'));
    await suite.mustHold(key, Buffer.from('again'));
  });
}
