import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { it } from 'node:test';
import { until } from '../../../../test/support/wait.ts';
import { isBackendFault } from '../backend.ts';
import { MIB, bytesOf, chunked, freshChunks } from './sources.ts';
import { type Suite, collect, isVery } from './suite.ts';

const BIG_BYTES = 24 * MIB;
const HALF_READS = 60;
/** Descriptors that may stay open for later calls, such as connections of a pool. */
const POOLED_MAX = 30;

/** Callers that give up: their reason comes back unchanged, and nothing stays open or half-written. */
export function abortTests(suite: Suite): void {
  it('throws the reason of a signal that has aborted already, and does nothing', async () => {
    const reason = new Error('the caller has left');
    const signal = AbortSignal.abort(reason);
    const [key, kept] = [suite.key(), suite.key()];
    await suite.put(kept, Buffer.from('kept'));
    await assert.rejects(suite.put(key, Buffer.from('x'), 1, signal), isVery(reason));
    await assert.rejects(suite.put(key, chunked(bytesOf(MIB), [1000]), MIB, signal), isVery(reason));
    await assert.rejects(suite.backend.get(kept, null, signal), isVery(reason));
    await assert.rejects(suite.backend.head(kept, signal), isVery(reason));
    await assert.rejects(suite.backend.delete(kept, signal), isVery(reason));
    await assert.rejects(suite.backend.list({ prefix: '', limit: 1 }, signal), isVery(reason));
    assert.equal(isBackendFault(reason), false);
    await suite.mustBeAbsent(key);
    await suite.mustHold(kept, Buffer.from('kept'));
  });

  it('stops a put in its middle, throws the reason, and leaves nothing (failure 20)', async () => {
    const key = suite.key();
    const controller = new AbortController();
    const reason = { why: 'not even an error' };
    const source = freshChunks(BIG_BYTES, 65_536, ({ pulledBytes }) => {
      if (pulledBytes > BIG_BYTES / 2) controller.abort(reason);
    });
    await assert.rejects(suite.put(key, source, BIG_BYTES, controller.signal), isVery(reason));
    await suite.mustBeAbsent(key);
  });

  it('stops a put whose source hangs (failure 25)', async () => {
    const key = suite.key();
    const controller = new AbortController();
    const reason = new Error('too slow');
    async function* hanging(): AsyncGenerator<Buffer> {
      yield bytesOf(100_000);
      setImmediate(() => controller.abort(reason));
      await Promise.withResolvers<void>().promise;
    }
    await assert.rejects(suite.put(key, hanging(), MIB, controller.signal), isVery(reason));
    await suite.mustBeAbsent(key);
  });

  it('stops a get in its middle, and throws the reason: it never just ends (failure 14)', async () => {
    const key = suite.key();
    await suite.put(key, bytesOf(BIG_BYTES));
    const controller = new AbortController();
    const reason = new Error('the reader has left');
    const { content } = await suite.open(key, null, controller.signal);
    assert.ok(!Buffer.isBuffer(content), 'what is large is a sequence');
    let readBytes = 0;
    const reading = async (): Promise<void> => {
      for await (const chunk of content) {
        readBytes += chunk.length;
        controller.abort(reason);
      }
    };
    await assert.rejects(reading(), isVery(reason));
    assert.ok(readBytes > 0 && readBytes < BIG_BYTES);
  });

  it('frees what a reader leaves half-read, by cancel and by the end of its loop', async () => {
    const key = suite.key();
    await suite.put(key, bytesOf(4 * MIB));
    await suite.read(key);
    const before = openDescriptors();
    for (let turn = 0; turn < HALF_READS; turn++) {
      const opened = await suite.open(key);
      if (turn % 3 > 0) {
        assert.ok(!Buffer.isBuffer(opened.content));
        for await (const chunk of opened.content) if (chunk.length > 0) break;
      }
      if (turn % 3 < 2) opened.cancel();
      if (turn % 3 === 0) opened.cancel();
    }
    await until('what was open is closed', () => openDescriptors() <= before + POOLED_MAX);
    await suite.mustHold(key, bytesOf(4 * MIB));
  });

  it('does not hear a signal any more when the call is over', async () => {
    const key = suite.key();
    const controller = new AbortController();
    await suite.put(key, bytesOf(MIB), MIB, controller.signal);
    const { content } = await suite.open(key, null, controller.signal);
    await collect(content);
    controller.abort(new Error('late'));
    await suite.mustHold(key, bytesOf(MIB));
  });
}

/** Files and sockets that this process has open (Linux). */
function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
