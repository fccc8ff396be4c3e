import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Content } from '../../content/content.ts';
import { isBackendFault } from '../backend.ts';
import { MIB, type SourceRecord, bytesOf, chunked, freshChunks } from './sources.ts';
import { type Suite, assertSameBytes, isKind, isVery } from './suite.ts';

interface WrongLength {
  readonly text: string;
  readonly content: () => Content;
  readonly sizeBytes: number;
}

const wrongLengths: readonly WrongLength[] = [
  { text: 'a short buffer', content: () => bytesOf(99), sizeBytes: 100 },
  { text: 'a long buffer', content: () => bytesOf(101), sizeBytes: 100 },
  { text: 'an empty buffer', content: () => Buffer.alloc(0), sizeBytes: 1 },
  { text: 'a byte for an empty blob', content: () => bytesOf(1), sizeBytes: 0 },
  { text: 'a short sequence', content: () => chunked(bytesOf(2 * MIB - 1), [65_536]), sizeBytes: 2 * MIB },
  { text: 'a long sequence', content: () => chunked(bytesOf(2 * MIB + 1), [65_536]), sizeBytes: 2 * MIB },
  { text: 'an empty sequence', content: () => chunked(Buffer.alloc(0), [1]), sizeBytes: 1 },
  { text: 'a byte too many, alone', content: () => chunked(bytesOf(70_001), [70_000, 1]), sizeBytes: 70_000 },
];

/** Puts that do not come to their end leave nothing, and say whose fault it was. */
export function brokenPutTests(suite: Suite): void {
  for (const { text, content, sizeBytes } of wrongLengths) {
    it(`refuses ${text}, and leaves nothing (failure 14)`, async () => {
      const key = suite.key();
      await assert.rejects(suite.put(key, content(), sizeBytes), isKind('invalid'));
      await suite.mustBeAbsent(key);
    });
  }

  it('pulls no more than a chunk of content that is too long, and lets go of it', async () => {
    const record: SourceRecord = { pulledBytes: 0, isReleased: false };
    const endless = freshChunks(1024 * MIB, 65_536, () => undefined, record);
    await assert.rejects(suite.put(suite.key(), endless, MIB), isKind('invalid'));
    assert.ok(record.pulledBytes <= 2 * MIB, `${record.pulledBytes} bytes were pulled`);
    assert.equal(record.isReleased, true);
  });

  for (const afterBytes of [0, 1, 3 * MIB]) {
    it(`throws what the source threw after ${afterBytes} bytes, and leaves nothing (failures 14 and 20)`, async () => {
      const key = suite.key();
      const broken = new Error('the client is gone');
      const source = freshChunks(4 * MIB, 65_536, (record) => {
        if (record.pulledBytes >= afterBytes) throw broken;
      });
      await assert.rejects(suite.put(key, source, 4 * MIB), isVery(broken));
      assert.equal(isBackendFault(broken), false);
      await suite.mustBeAbsent(key);
    });
  }

  it('keeps what is there whole, or takes it away, when a repeated put breaks', async () => {
    const key = suite.key();
    const bytes = bytesOf(MIB);
    await suite.put(key, bytes);
    await assert.rejects(suite.put(key, chunked(bytes.subarray(1), [65_536]), MIB), isKind('invalid'));
    const opened = await suite.get(key);
    opened?.cancel();
    if (opened !== null) assertSameBytes(await suite.read(key), bytes);
  });

  it('shows a blob only when it is finished', async () => {
    const key = suite.key();
    const bytes = bytesOf(2 * MIB);
    const [half, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    async function* gated(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, MIB);
      half.resolve();
      await rest.promise;
      yield bytes.subarray(MIB);
    }
    const putting = suite.put(key, gated(), bytes.length);
    try {
      // Races, so that a put which fails early fails the test at once.
      await Promise.race([half.promise, putting]);
      await suite.mustBeAbsent(key);
    } finally {
      rest.resolve();
      await putting;
    }
    await suite.mustHold(key, bytes);
  });

  it('clears away what an unfinished put has left, by delete', async () => {
    const key = suite.key();
    await assert.rejects(suite.put(key, chunked(bytesOf(MIB), [65_536]), 2 * MIB), isKind('invalid'));
    assert.equal(await suite.delete(key), 'absent');
    await suite.put(key, bytesOf(MIB));
    await suite.mustHold(key, bytesOf(MIB));
  });
}
