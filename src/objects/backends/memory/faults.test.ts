import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Content } from '../../content/content.ts';
import { MIB, bytesOf, chunked } from '../conformance/sources.ts';
import { assertSameBytes, collect, isKind, isVery } from '../conformance/suite.ts';
import { MemoryObjectBackend } from './memory.ts';

const signal = new AbortController().signal;
const put = (backend: MemoryObjectBackend, key: string, bytes: Buffer, within = signal) =>
  backend.put(key, chunked(bytes, [65_536]), { sizeBytes: bytes.length, signal: within });

describe('the faults of the memory backend', () => {
  it('refuse a call without effect, as often as told, for the key that was told', async () => {
    const backend = new MemoryObjectBackend();
    const cases = [
      ['fail', isKind('backend')],
      ['full', isKind('backend', { reason: 'full' })],
      ['unreachable', isKind('unavailable')],
      ['overloaded', isKind('overloaded')],
    ] as const;
    for (const [effect, check] of cases) {
      backend.faults.push({ verb: 'put', key: 'a', times: 2, effect });
      for (let turn = 0; turn < 2; turn++) await assert.rejects(put(backend, 'a', bytesOf(10)), check);
      await put(backend, 'b', bytesOf(10));
      assert.equal(backend.blobs.has('a'), false);
      await put(backend, 'a', bytesOf(10));
      await backend.delete('a', signal);
    }
    assert.deepEqual(backend.faults, []);
  });

  it('hang until the caller gives up, at once or within a stream', async () => {
    const backend = new MemoryObjectBackend();
    await put(backend, 'a', bytesOf(MIB));
    const giveUp = () => AbortSignal.timeout(20);
    for (const verb of ['get', 'head', 'delete', 'health', 'list', 'put'] as const) {
      backend.faults.push({ verb, times: 1, effect: 'hang' });
      const within = giveUp();
      const call = {
        get: () => backend.get('a', null, within),
        head: () => backend.head('a', within),
        delete: () => backend.delete('a', within),
        health: () => backend.health(within),
        list: () => backend.list({ prefix: '', limit: 1 }, within),
        put: () => put(backend, 'b', bytesOf(1), within),
      };
      await assert.rejects(call[verb](), { name: 'TimeoutError' });
    }
    backend.faults.push({ verb: 'get', times: 1, effect: 'hang', afterBytes: 100_000 });
    const within = giveUp();
    const { bytes, error } = await readSome((await backend.get('a', null, within))!.content);
    assert.equal(bytes.length, 100_000);
    isVery(within.reason)(error);
    assert.deepEqual([...backend.blobs.keys()], ['a']);
  });

  it('break, cut, shrink and spoil what is read', async () => {
    const backend = new MemoryObjectBackend();
    const bytes = bytesOf(MIB);
    await put(backend, 'a', bytes);
    const read = async () => readSome((await backend.get('a', null, signal))!.content);
    for (const afterBytes of [0, 65_536, 100_000]) {
      backend.faults.push({ verb: 'get', times: 1, effect: 'break', afterBytes });
      const broken = await read();
      isKind('backend')(broken.error);
      assertSameBytes(broken.bytes, bytes.subarray(0, afterBytes));
      backend.faults.push({ verb: 'get', times: 1, effect: 'truncate', afterBytes });
      const cut = await read();
      assert.equal(cut.error, null);
      assertSameBytes(cut.bytes, bytes.subarray(0, afterBytes));
    }
    backend.faults.push({ verb: 'head', times: 1, effect: 'shrink', afterBytes: 5 });
    assert.equal((await backend.head('a', signal))?.sizeBytes, 5);
    backend.faults.push({ verb: 'get', times: 1, effect: 'corrupt', afterBytes: 5 });
    const corrupt = await read();
    assert.notEqual(corrupt.bytes[5], bytes[5]);
    assertSameBytes((await read()).bytes, bytes);
  });

  it('break a put within its stream, and lose its answer', async () => {
    const backend = new MemoryObjectBackend();
    backend.faults.push({ verb: 'put', times: 1, effect: 'break', afterBytes: 100_000 });
    await assert.rejects(put(backend, 'a', bytesOf(MIB)), isKind('backend'));
    assert.equal(await backend.head('a', signal), null);
    backend.faults.push({ verb: 'put', times: 1, effect: 'lost_answer' });
    await assert.rejects(put(backend, 'a', bytesOf(MIB)), isKind('unavailable', { outcome: 'unknown' }));
    assert.equal((await backend.head('a', signal))?.sizeBytes, MIB);
  });

  it('come by themselves when it is full', async () => {
    const backend = new MemoryObjectBackend({ capacityBytes: 100, blobBytesMax: 90 });
    await put(backend, 'a', bytesOf(60));
    await assert.rejects(put(backend, 'b', bytesOf(41)), isKind('backend', { reason: 'full' }));
    await put(backend, 'a', bytesOf(90));
    await assert.rejects(put(backend, 'b', bytesOf(91)), isKind('invalid'));
    assert.deepEqual((await backend.health(signal)).freeBytes, 10);
  });
});

async function readSome(content: Content): Promise<{ bytes: Buffer; error: unknown }> {
  if (Buffer.isBuffer(content)) return { bytes: await collect(content), error: null };
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of content) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks), error: null };
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
}
