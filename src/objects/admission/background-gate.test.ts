import { knownBackend } from '../backends/test-known-backend.ts';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { MemoryObjectBackend } from '../backends/memory/memory.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { chunksOf } from '../content/content.ts';
import { BackgroundGate } from './background-gate.ts';
import { backgroundRegistry } from './background-registry.ts';
import type { Release } from './fair-queue.ts';

const signal = new AbortController().signal;

/** A gate on a clock of the test's own, with all who asked. */
class Rig {
  readonly gate: BackgroundGate;
  readonly working: Release[] = [];
  isQueueing = false;
  asked = 0;
  ended = 0;
  #nowMs = 0;

  constructor() {
    this.gate = new BackgroundGate({ clock: { nowMs: () => this.#nowMs }, isQueueing: () => this.isQueueing });
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }

  async ask(times = 1): Promise<void> {
    for (let time = 0; time < times; time++) {
      this.asked += 1;
      void this.gate.enter(signal).then((release) => this.working.push(release));
    }
    await turn();
  }

  async end(times = 1): Promise<void> {
    for (const release of this.working.splice(0, times)) {
      this.ended += 1;
      release();
    }
    await turn();
  }

  /** So many steps of the gate, each with a call that ends at once. */
  async steps(times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      this.advance(200);
      await this.end();
      await this.ask();
    }
  }
}

describe('the gate of keepers', () => {
  test('is open while there are no clients', async () => {
    const rig = new Rig();
    await rig.ask(200);
    assert.equal(rig.working.length, 200);
  });

  test('narrows while clients queue, never to less than one, and opens again', async () => {
    const rig = new Rig();
    await rig.ask(64);
    rig.isQueueing = true;
    await rig.steps(1);
    assert.ok(rig.gate.limit <= 32, `${rig.gate.limit}`);
    await rig.steps(100);
    assert.deepEqual([rig.gate.limit, rig.working.length], [1, 1], 'one goes on, however long it lasts');
    rig.isQueueing = false;
    await rig.steps(40);
    assert.equal(rig.gate.limit, 256);
  });

  test('begins with little beside clients, and grows slowly while they are served as usual', async () => {
    const rig = new Rig();
    const serve = (tookMs: number) => {
      for (let time = 0; time < 5; time++) rig.gate.foregroundTook(tookMs);
    };
    serve(10);
    await rig.ask(32);
    assert.ok(rig.working.length <= 3, `${rig.working.length}`);
    for (let step = 0; step < 50; step++) {
      serve(16);
      await rig.steps(1);
    }
    assert.ok(rig.gate.limit >= 10 && rig.gate.limit <= 13, `${rig.gate.limit}`);
    serve(40);
    await rig.steps(3);
    assert.ok(rig.gate.limit <= 3, `${rig.gate.limit}`);
    rig.advance(5_000);
    await rig.steps(40);
    assert.equal(rig.gate.limit, 256, 'what nobody waits for any more holds nobody up');
  });

  test('stays narrow while small writes take longer than usual, however quick reads are', async () => {
    const rig = new Rig();
    for (let time = 0; time < 50; time++) rig.gate.foregroundTook(10, 'write');
    await rig.ask(8);
    for (let step = 0; step < 40; step++) {
      for (let time = 0; time < 5; time++) {
        rig.gate.foregroundTook(20, 'write');
        rig.gate.foregroundTook(1, 'read');
      }
      await rig.steps(1);
    }
    assert.equal(rig.gate.limit, 1, 'what the last one makes slow is not the usual at once');
    assert.equal(rig.gate.restMs, 500, 'one after another is still too much');
    const control = new AbortController();
    const resting = rig.gate.rest(control.signal);
    control.abort(new Error('the keeper rests'));
    await assert.rejects(resting, /the keeper rests/);
    for (let time = 0; time < 50; time++) rig.gate.foregroundTook(10, 'write');
    for (let step = 0; step < 40; step++) {
      rig.gate.foregroundTook(10, 'write');
      await rig.steps(1);
    }
    assert.equal(rig.gate.restMs, 0);
    await rig.gate.rest(signal);
  });

  test('is left by who gives up, and holds nothing back for ever', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const rig = new Rig();
    rig.isQueueing = true;
    await rig.ask(1);
    assert.equal(rig.working.length, 1);
    const control = new AbortController();
    const waiting = rig.gate.enter(control.signal);
    control.abort(new Error('the keeper rests'));
    await assert.rejects(waiting, /the keeper rests/);
    await rig.ask(1);
    assert.equal(rig.working.length, 1);
    t.mock.timers.tick(10_000);
    await turn();
    assert.equal(rig.working.length, 2, 'what it waits for may be what it holds itself');
    await rig.end(2);
    assert.equal(rig.gate.active, 0);
  });

  test('whatever happens: somebody works while anybody waits, and all come to an end', async () => {
    const act = fc.record({
      what: fc.constantFrom('ask', 'end', 'queue', 'calm', 'slow', 'wait'),
      count: fc.integer({ min: 1, max: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
        const rig = new Rig();
        for (const { what, count } of acts) {
          if (what === 'ask') await rig.ask(count);
          if (what === 'end') await rig.end(count);
          if (what === 'queue' || what === 'calm') rig.isQueueing = what === 'queue';
          if (what === 'slow') rig.gate.foregroundTook(count * 10);
          if (what === 'wait') rig.advance(count * 20);
          assert.equal(rig.gate.active, rig.working.length);
          assert.ok(rig.gate.limit >= 1 && rig.gate.limit <= 256);
          const waiting = rig.asked - rig.ended - rig.working.length;
          assert.ok(waiting === 0 || rig.working.length >= 1, 'nobody works and somebody waits');
        }
        while (rig.working.length > 0) {
          rig.advance(50);
          await rig.end(1);
        }
        assert.equal(rig.ended, rig.asked);
      }),
      { numRuns: 100 },
    );
  });
});

describe('backends as keepers see them', () => {
  const bytes = Buffer.alloc(1_000_000, 'x');
  const known = knownBackend('m', new MemoryObjectBackend());
  const registry: ObjectBackendRegistry = {
    all: [known],
    get: (name) => (name === 'm' ? known : null),
    refresh: async () => {},
    close: async () => {},
  };

  test('are the same, with each call in its place until its bytes have been read', async () => {
    const { gate } = new Rig();
    const { backend } = backgroundRegistry(registry, gate).get('m')!;
    assert.equal(backgroundRegistry(registry, gate).get('none'), null);
    await backend.put('k', bytes, { sizeBytes: bytes.length, signal });
    const blob = (await backend.get('k', null, signal))!;
    assert.equal(gate.active, 1);
    let length = 0;
    for await (const chunk of chunksOf(blob.content)) length += chunk.length;
    assert.deepEqual([length, gate.active], [bytes.length, 0]);
    const cancelled = (await backend.get('k', { offset: 0, length: 10 }, signal))!;
    assert.equal(gate.active, 1);
    cancelled.cancel();
    cancelled.cancel();
    assert.equal(gate.active, 0);
    assert.equal(await backend.get('none', null, signal), null);
    assert.equal((await backend.head('k', signal))?.sizeBytes, bytes.length);
    assert.equal(await backend.delete('k', signal), 'deleted');
    assert.equal(gate.active, 0);
  });

  test('may be read and written at the same time when only one may work', async () => {
    const rig = new Rig();
    rig.isQueueing = true;
    const [one] = backgroundRegistry(registry, rig.gate).all;
    await one!.backend.put('from', bytes, { sizeBytes: bytes.length, signal });
    const blob = (await one!.backend.get('from', null, signal))!;
    assert.deepEqual([rig.gate.limit, rig.gate.active], [1, 1]);
    const putting = one!.backend.put('to', blob.content, { sizeBytes: bytes.length, signal });
    assert.equal(rig.gate.active, 2, 'who wants to read next waits for the write as well');
    await putting;
    assert.equal(rig.gate.active, 0);
  });
});
