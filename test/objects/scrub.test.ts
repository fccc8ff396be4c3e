import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectFault } from '../../src/objects/backends/memory/faults.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, count, put, read } from './acts.ts';
import { type Lab, type LabBackend, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();
const dayMs = 86_400_000;
const always = (effect: ObjectFault['effect'], afterBytes = 0): ObjectFault => ({
  verb: 'get',
  times: Number.POSITIVE_INFINITY,
  effect,
  afterBytes,
});

/** Changes a byte of the only blob on a backend. */
function spoil({ backend }: LabBackend, at = 0): void {
  const [[key, blob]] = [...backend.blobs] as [[string, { bytes: Buffer; modifiedAtMs: number }]];
  const bytes = Buffer.from(blob.bytes);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  backend.blobs.set(key, { ...blob, bytes });
}

async function integrityEvents(lab: Lab): Promise<string[]> {
  const statement = `select type, data from events where type like 'integrity.%' order by id`;
  const rows = await lab.store.read((reader) => reader.rows<{ type: string; data: string }>(statement, []));
  return rows.map(({ type, data }) => {
    const { key, backend, kept } = JSON.parse(data) as Record<string, unknown>;
    return [type, key, backend, kept].filter((one) => one !== undefined).join(' ');
  });
}

onEveryStore('the scrubber', (engine) => {
  test('replaces a damaged copy from a good one, and tells that it was damaged and that it is healed', async () => {
    for (const at of [0, -1]) {
      const lab = await openLab(engine, labBackends(2));
      await lab.bucket('b', { copies: 2 });
      await put(lab, 'b', 'k', 'content');
      spoil(lab.backends[0]!, at);
      const { scrubber } = lab.keepers();
      assert.match(await scrubber.run(signal), /^0 copies are right, 0 damaged/, 'it is not due yet');
      lab.clock.advance(31 * dayMs);
      const plan = await scrubber.plan!(signal);
      assert.deepEqual([plan.count, plan.costs.length, plan.costs[0]!.egressBytes], [2, 2, plan.sizeBytes / 2]);
      const result = await scrubber.run(signal);
      assert.match(result, /^1 copies are right, 1 damaged ones are replaced, 0 are kept .*, 0 could not be read/);
      await assertClean(lab);
      assert.deepEqual(await integrityEvents(lab), ['integrity.corruption_detected k m1 false', 'integrity.healed k']);
      assert.equal(String(await read(lab, 'b', 'k')), 'content');
      assert.match(await scrubber.run(signal), /^0 copies are right/, 'each has had its turn');
      await lab.close();
    }
  });

  test('treats what is missing, too short or of another object as damaged', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'missing', 'content');
    await put(lab, 'b', 'short', 'content');
    await put(lab, 'b', 'swapped', 'content');
    const { blobs } = lab.backends[0]!.backend;
    const [missing, short, swapped] = [...blobs.keys()] as [string, string, string];
    const whole = blobs.get(short)!;
    blobs.set(swapped, whole);
    blobs.set(short, { ...whole, bytes: whole.bytes.subarray(0, -1) });
    blobs.delete(missing);
    lab.clock.advance(31 * dayMs);
    assert.match(await lab.keepers().scrubber.run(signal), /^3 copies are right, 3 damaged ones are replaced/);
    await assertClean(lab);
    await lab.close();
  });

  test('does not call damaged what cannot be read, or was damaged on the way once', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'k', 'content');
    lab.clock.advance(31 * dayMs);
    const { faults } = lab.backends[0]!.backend;
    const { scrubber } = lab.keepers();
    for (const effect of ['fail', 'unreachable', 'overloaded', 'break'] as const) {
      faults.push(always(effect, 3));
      assert.match(
        await scrubber.run(signal),
        /0 damaged ones are replaced, 0 are kept .*, 1 could not be read/,
        effect,
      );
      faults.length = 0;
    }
    faults.push({ ...always('corrupt'), times: 1 });
    assert.match(await scrubber.run(signal), /^1 copies are right, 0 damaged .*, 0 could not be read/);
    assert.deepEqual(await integrityEvents(lab), []);
    await assertClean(lab);
    await lab.close();
  });

  test('keeps a damaged copy that is the only one, tells it once, and heals it when another can be read', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('one');
    await put(lab, 'one', 'k', 'content');
    spoil(lab.backends[0]!);
    const { scrubber } = lab.keepers();
    for (let turn = 0; turn < 3; turn++) {
      lab.clock.advance(31 * dayMs);
      assert.match(await scrubber.run(signal), /0 damaged ones are replaced, 1 are kept .* 1 are damaged and kept/);
    }
    assert.deepEqual(await integrityEvents(lab), ['integrity.corruption_detected k m1 true']);
    assert.equal(lab.backends[0]!.backend.blobs.size, 1);
    spoil(lab.backends[0]!);
    lab.clock.advance(31 * dayMs);
    assert.match(await scrubber.run(signal), /^1 copies are right.* 0 are damaged and kept/);

    await lab.bucket('two', { copies: 2 });
    await put(lab, 'two', 'k2', 'content');
    lab.clock.advance(31 * dayMs);
    const other = lab.backends[1]!;
    spoil(other);
    lab.backends[0]!.backend.faults.push(always('unreachable'));
    assert.match(await scrubber.run(signal), /0 damaged ones are replaced, 0 are kept .*, 3 could not be read/);
    lab.backends[0]!.backend.faults.length = 0;
    assert.match(await scrubber.run(signal), /1 damaged ones are replaced/);
    await lab.settle();
    const told = (await integrityEvents(lab)).slice(1);
    assert.deepEqual(told, ['integrity.corruption_detected k2 m2 true', 'integrity.healed k2']);
    await assertClean(lab);
    await lab.close();
  });

  test('leaves backends alone that have reached their limits, and those that cannot be read', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    for (let index = 0; index < 15; index++) await put(lab, 'b', `k${index}`, 'content');
    lab.clock.advance(31 * dayMs);
    Object.assign(lab.registry.get('m1')!, { isOver: (meter: string) => meter === 'egress' });
    lab.backends[1]!.backend.faults.push(always('fail'));
    const { scrubber } = lab.keepers();
    const result = await scrubber.run(signal);
    assert.match(result, /10 could not be read; deferred: m1 has reached its monthly egress, m2 cannot be read;/);
    // The next run goes on behind those that could not be read, and then comes back to them.
    lab.backends[1]!.backend.faults.length = 0;
    Object.assign(lab.registry.get('m1')!, { isOver: () => false });
    assert.match(await scrubber.run(signal), /^20 copies are right/);
    assert.match(await scrubber.run(signal), /^10 copies are right/);
    assert.equal(await count(lab.store, 'copies where verified_at is null'), 0);
    await lab.close();
  });

  test('keeps to its budget, and goes on after a pause where it stopped', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    for (let index = 0; index < 12; index++) await put(lab, 'b', `k${index}`, 'content');
    lab.clock.advance(31 * dayMs);
    const rate = { bytesPerSecond: 1e9, requestsPerSecond: 8 };
    const stopping = new AbortController();
    const began = performance.now();
    const { scrubber } = lab.keepers({ scrubRate: rate });
    await scrubber.run(stopping.signal, ({ done }) => done === 10 && stopping.abort());
    assert.ok(performance.now() - began >= 200, 'two more than the burst of eight take a quarter of a second');
    assert.equal(await count(lab.store, 'copies where verified_at is null'), 2);
    assert.match(await lab.keepers().scrubber.run(signal), /^2 copies are right/);
    await lab.close();
  });
});
