import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { objectBackendConformance } from './backend.conformance.ts';
import { bytesOf, chunked } from './conformance/sources.ts';
import { collect, isKind, isVery } from './conformance/suite.ts';
import { defaultGuardTimeouts } from './guarded.ts';
import type { FaultEffect, FaultVerb } from './memory/faults.ts';
import { type GuardRig, anySignal, guardRig } from './test-guard.ts';

const large = bytesOf(1_000_000);
/** Far beyond the pace of what moves: a process that stands still for a moment finds its timers first. */
const seconds = { answerMs: 1_000, idleMs: 1_000, copyMs: 1_000 };

function put(rig: GuardRig, key: string, bytes: Buffer = Buffer.from('content')): Promise<void> {
  return rig.guard.put(key, bytes, { sizeBytes: bytes.length, signal: anySignal() });
}

/** Faults until told otherwise. */
function spoil(rig: GuardRig, verb: FaultVerb, effect: FaultEffect, times = Number.POSITIVE_INFINITY): void {
  rig.memory.faults.push({ verb, effect, times });
}

async function failing(times: number, call: () => Promise<unknown>): Promise<void> {
  for (let turn = 0; turn < times; turn++) await assert.rejects(call());
}

objectBackendConformance('a guarded backend', async () => ({ backend: guardRig(defaultGuardTimeouts).guard }), {
  holdsBlobsInMemory: true,
});

describe('the breaker of a guarded backend', () => {
  test('opens at faults, rejects at once without calling, says why, and lets a probe close it', async () => {
    const rig = guardRig();
    spoil(rig, 'head', 'unreachable', 5);
    await failing(5, () => rig.guard.head('a', anySignal()));
    const calls = rig.memory.calls.length;
    await assert.rejects(rig.guard.head('a', anySignal()), (error: unknown) => {
      assert.ok(error instanceof HoldfastError);
      assert.equal(error.kind, 'unavailable');
      assert.deepEqual(error.details, { reason: 'circuit_open', backend: 'disk1', retry_after_ms: 1_000 });
      assert.match(error.message, /cannot be reached/);
      return true;
    });
    assert.equal(rig.memory.calls.length, calls, 'the real one was not called');
    assert.equal(rig.told.at(-1), 'head rejected');
    assert.equal(rig.guard.isOpenFor('read'), false);
    rig.advance(1_000);
    assert.equal(rig.guard.isOpenFor('read'), true, 'a read may be the probe');
    assert.equal(rig.guard.isOpenFor('write'), false, 'a write is not sent where it may be lost');
    assert.equal(await rig.guard.head('a', anySignal()), null);
    assert.equal(rig.guard.isOpenFor('write'), true);
  });

  test('failure 19: finds its way back without traffic, by the health that a prober asks for', async () => {
    const rig = guardRig();
    spoil(rig, 'put', 'fail', 5);
    await failing(5, () => put(rig, 'a'));
    await rig.guard.probe();
    assert.equal(rig.guard.breakerView().state, 'open', 'too early: nothing is asked');
    assert.equal(rig.memory.calls.filter(({ verb }) => verb === 'health').length, 0);
    spoil(rig, 'health', 'unreachable', 1);
    rig.advance(1_000);
    await rig.guard.probe();
    assert.equal(rig.guard.breakerView().retryAfterMs, 2_000, 'a failed probe waits longer');
    rig.advance(2_000);
    await rig.guard.probe();
    assert.equal(rig.guard.breakerView().state, 'closed');
    await put(rig, 'a');
  });

  test('failure 20: absences, wrong calls, wishes to slow down and callers that give up never open it', async () => {
    const rig = guardRig();
    spoil(rig, 'list', 'overloaded');
    for (let turn = 0; turn < 30; turn++) {
      assert.equal(await rig.guard.head('nothing', anySignal()), null);
      assert.equal(await rig.guard.get('nothing', null, anySignal()), null);
      assert.equal(await rig.guard.delete('nothing', anySignal()), 'absent');
      await assert.rejects(rig.guard.list({ prefix: '', limit: 1 }, anySignal()), isKind('overloaded'));
      const wrong = rig.guard.put('a', Buffer.from('xx'), { sizeBytes: 1, signal: anySignal() });
      await assert.rejects(wrong, isKind('invalid'));
      const gone = new Error('the client is gone');
      await assert.rejects(rig.guard.head('a', AbortSignal.abort(gone)), isVery(gone));
    }
    spoil(rig, 'head', 'hang', 10);
    for (let turn = 0; turn < 10; turn++) {
      const caller = new AbortController();
      const call = rig.guard.head('a', caller.signal);
      const reason = { gone: turn };
      caller.abort(reason);
      await assert.rejects(call, isVery(reason));
    }
    assert.equal(rig.guard.breakerView().state, 'closed');
    assert.equal(rig.told.at(-1), 'head cancelled');
  });

  test('failure 20: a source that fails as another backend would is no fault of the one that is written to', async () => {
    const rig = guardRig();
    const broken = new HoldfastError('unavailable', 'The other backend is gone.');
    for (let turn = 0; turn < 10; turn++) {
      const source = (async function* () {
        yield Buffer.from('begin');
        throw broken;
      })();
      await assert.rejects(rig.guard.put('a', source, { sizeBytes: 10, signal: anySignal() }), isVery(broken));
    }
    assert.equal(rig.guard.breakerView().state, 'closed');
  });

  test('a full backend takes no writes, and still reads and deletes, which makes room', async () => {
    const rig = guardRig();
    await put(rig, 'a');
    spoil(rig, 'put', 'full');
    await failing(5, () => put(rig, 'b'));
    await assert.rejects(put(rig, 'b'), isKind('unavailable', { reason: 'circuit_open' }));
    assert.equal(rig.guard.isOpenFor('write'), false);
    assert.equal(rig.guard.isOpenFor('read'), true);
    assert.equal(rig.guard.breakerView().state, 'open');
    assert.ok((await rig.guard.get('a', null, anySignal())) !== null);
    assert.equal(await rig.guard.delete('a', anySignal()), 'deleted');
  });

  test('is opened by streams that break in their middle, though each began well', async () => {
    const rig = guardRig();
    await put(rig, 'a', large);
    rig.memory.faults.push({ verb: 'get', effect: 'break', afterBytes: 500_000, times: 5 });
    for (let turn = 0; turn < 5; turn++) {
      const blob = await rig.guard.get('a', null, anySignal());
      await assert.rejects(collect(blob!.content), isKind('backend'));
    }
    assert.equal(rig.guard.breakerView().state, 'open');
  });

  test('asking for the health is never rejected, and does not hide that writes fail', async () => {
    const rig = guardRig();
    spoil(rig, 'put', 'fail', 5);
    for (let turn = 0; turn < 5; turn++) {
      await assert.rejects(put(rig, 'a'));
      await rig.guard.health(anySignal());
    }
    assert.equal(rig.guard.breakerView().state, 'open');
    assert.equal((await rig.guard.health(anySignal())).detail, 'memory of this process');
    assert.equal(rig.guard.breakerView().state, 'open', 'it was too early to be the probe');
  });
});

describe('the deadlines of a guarded backend', () => {
  for (const verb of ['head', 'delete', 'list', 'health'] as const) {
    test(`${verb} that is not answered ends by itself, and is a fault`, async () => {
      const rig = guardRig();
      spoil(rig, verb, 'hang', 1);
      const calls = {
        head: () => rig.guard.head('a', anySignal()),
        delete: () => rig.guard.delete('a', anySignal()),
        list: () => rig.guard.list({ prefix: '', limit: 1 }, anySignal()),
        health: () => rig.guard.health(anySignal()),
      };
      await assert.rejects(calls[verb](), isKind('unavailable', { reason: 'timeout' }));
      assert.equal(rig.told.at(-1), `${verb} unavailable`);
    });
  }

  test('failure 25: a put that moves slowly for longer than the limit goes on; one that stands still ends', async () => {
    const rig = guardRig(seconds);
    rig.memory.faults.push({ verb: 'put', effect: 'slow', delayMs: 220, times: 1 });
    const beganAt = performance.now();
    await rig.guard.put('a', chunked(large, [100_000]), { sizeBytes: large.length, signal: anySignal() });
    assert.ok(performance.now() - beganAt > 2_000, 'longer than twice the limit');
    rig.memory.faults.push({ verb: 'put', effect: 'hang', afterBytes: 300_000, times: 1 });
    const hung = rig.guard.put('b', chunked(large, [100_000]), { sizeBytes: large.length, signal: anySignal() });
    await assert.rejects(hung, isKind('unavailable', { reason: 'timeout', outcome: 'unknown' }));
    assert.equal(rig.memory.blobs.has('b'), false);
  });

  test('failure 25: a get that moves slowly goes on; one that stands still is an error, never a clean end', async () => {
    const rig = guardRig(seconds);
    await put(rig, 'a', large);
    rig.memory.faults.push({ verb: 'get', effect: 'slow', delayMs: 220, times: 1 });
    assert.ok((await collect((await rig.guard.get('a', null, anySignal()))!.content)).equals(large));
    rig.memory.faults.push({ verb: 'get', effect: 'hang', afterBytes: 300_000, times: 1 });
    const blob = await rig.guard.get('a', null, anySignal());
    await assert.rejects(collect(blob!.content), isKind('unavailable', { reason: 'timeout' }));
  });

  test('a slow client is not a slow backend, in neither direction', async () => {
    const rig = guardRig();
    const slow = (async function* () {
      for (let turn = 0; turn < 3; turn++) {
        await delay(100);
        yield Buffer.from('chunk');
      }
    })();
    await rig.guard.put('a', slow, { sizeBytes: 15, signal: anySignal() });
    await put(rig, 'b', large);
    const blob = await rig.guard.get('b', null, anySignal());
    let readBytes = 0;
    for await (const chunk of blob!.content as AsyncIterable<Buffer>) {
      if (readBytes < 200_000) await delay(100);
      readBytes += chunk.length;
    }
    assert.equal(readBytes, large.length);
    assert.equal(rig.guard.breakerView().state, 'closed');
  });

  test('a backend that hears no signal does not hold its caller, and lets go of the source', async () => {
    let isReleased = false;
    const deaf = guardRig(undefined, (memory) => ({
      ...wrapped(memory),
      put: async (_key, content) => {
        for await (const _chunk of content as AsyncIterable<Buffer>) await new Promise(() => {});
      },
      head: () => new Promise(() => {}),
    }));
    const source = (async function* () {
      try {
        yield Buffer.from('one');
        yield Buffer.from('two');
      } finally {
        isReleased = true;
      }
    })();
    await assert.rejects(deaf.guard.head('a', anySignal()), isKind('unavailable', { reason: 'timeout' }));
    const stuck = deaf.guard.put('a', source, { sizeBytes: 6, signal: anySignal() });
    await assert.rejects(stuck, isKind('unavailable', { reason: 'timeout' }));
    assert.equal(isReleased, true);
  });
});

describe('what a guarded backend counts', () => {
  test('requests, bytes written and bytes read, also of streams that end early', async () => {
    const rig = guardRig();
    await put(rig, 'a', large);
    await rig.guard.put('b', chunked(large, [65_536]), { sizeBytes: large.length, signal: anySignal() });
    assert.deepEqual(rig.used, { requests: 2, ingressBytes: 2 * large.length, egressBytes: 0 });
    await collect((await rig.guard.get('a', null, anySignal()))!.content);
    await collect((await rig.guard.get('a', { offset: 10, length: 20 }, anySignal()))!.content);
    assert.deepEqual(rig.used, { requests: 4, ingressBytes: 2 * large.length, egressBytes: large.length + 20 });
    const half = await rig.guard.get('b', null, anySignal());
    for await (const chunk of half!.content as AsyncIterable<Buffer>) if (chunk.length > 0) break;
    assert.equal(rig.used.egressBytes, large.length + 20 + 65_536);
    const cancelled = await rig.guard.get('b', null, anySignal());
    cancelled!.cancel();
    cancelled!.cancel();
    assert.equal(rig.used.requests, 6);
    assert.deepEqual([...new Set(rig.told)], ['put ok', 'get ok']);
  });

  test('the time to the first byte, which stays while nobody measures it', async () => {
    const rig = guardRig(undefined, (memory) => ({
      ...wrapped(memory),
      head: async (key, signal) => {
        rig.advance(100);
        return memory.head(key, signal);
      },
    }));
    assert.equal(rig.guard.reads.latencyMs, 0);
    await rig.guard.head('a', anySignal());
    assert.equal(rig.guard.reads.latencyMs, 100);
    rig.advance(60_000);
    assert.equal(rig.guard.reads.latencyMs, 100);
  });
});

describe('closing a guarded backend', () => {
  test('waits for what is under way, once, and can be hastened', async () => {
    let closes = 0;
    const rig = guardRig(undefined, (memory) => ({ ...wrapped(memory), close: async () => void (closes += 1) }));
    await put(rig, 'a', large);
    const [first, second] = [await rig.guard.get('a', null, anySignal()), await rig.guard.get('a', null, anySignal())];
    const closing = rig.guard.close(60_000);
    await collect(first!.content);
    await delay(5);
    assert.equal(closes, 0, 'one stream is still being read');
    await rig.guard.close();
    await closing;
    assert.equal(closes, 1);
    second!.cancel();
  });

  test('comes as soon as the last stream has ended', async () => {
    const rig = guardRig();
    await put(rig, 'a', large);
    const blob = await rig.guard.get('a', null, anySignal());
    const closing = rig.guard.close(60_000);
    await collect(blob!.content);
    await closing;
    assert.equal(rig.told.at(-1), 'get ok');
  });
});

/** The verbs of a backend as plain properties, so that some can be replaced. */
function wrapped(memory: GuardRig['memory']) {
  return {
    capabilities: memory.capabilities,
    health: memory.health.bind(memory),
    put: memory.put.bind(memory),
    get: memory.get.bind(memory),
    head: memory.head.bind(memory),
    delete: memory.delete.bind(memory),
    list: memory.list.bind(memory),
    copy: memory.copy.bind(memory),
    close: memory.close.bind(memory),
  };
}
