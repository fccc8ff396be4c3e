import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runStatement } from '../../src/objects/backends/test-backends.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, beginUpload, complete, copy, count, put, putPart } from './acts.ts';
import { type Lab, labBackends, openLab, setTestQuota } from './lab.ts';
import {
  type CarriedOut,
  type Row,
  copiesMoved,
  copyId,
  planAndRun,
  rowsOnlyIn,
  shortCopy,
  stepsOf,
} from './plan-checks.ts';

const { signal } = new AbortController();
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const unhealthyAfterMs = hourMs;

/** That steps are what happened to copies, and costs the calls and the bytes that this took. */
function assertCopies(done: CarriedOut): void {
  const { plan, before, after, calls } = done;
  assert.deepEqual(stepsOf(plan, shortCopy), copiesMoved(done));
  assert.equal(plan.count, plan.steps.length);
  assert.ok(plan.isExact);
  const made = rowsOnlyIn(after, before, 'copies', copyId);
  const gone = rowsOnlyIn(before, after, 'copies', copyId);
  const places = new Set([...plan.costs.map(({ place }) => place), ...before.tables['object_backends']!.map(nameOf)]);
  for (const place of places) {
    const cost = plan.costs.find((one) => one.place === place) ?? { requests: 0, ingressBytes: 0 };
    const used = calls.filter((call) => /^(get|put) /.test(call) && call.endsWith(` on ${place}`)).length;
    // What is let go is deleted afterwards.
    const deletions = gone.filter((row) => row['backend'] === place).length;
    assert.equal(cost.requests, used + deletions, `requests of ${place}`);
    const bytes = made.filter((row) => row['backend'] === place).map((row) => Number(row['stored_bytes']));
    assert.equal(
      cost.ingressBytes,
      bytes.reduce((sum, one) => sum + one, 0),
      `bytes to ${place}`,
    );
  }
}

function nameOf(row: Row): string {
  return String(row['name']);
}

/** What the replicator finds to do, and what of it cannot be done. */
interface Situation {
  readonly name: string;
  readonly backends?: number;
  readonly classes?: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[];
  prepare(lab: Lab): Promise<void>;
  readonly copies: number;
  readonly drops: number;
  /** Which of several that are made at once find the room is for nobody to say. */
  readonly isTight?: boolean;
  readonly warnings?: readonly RegExp[];
}

const pack = { placement: 'pack' } as const;

async function putSome(lab: Lab, copies: number, number = 5): Promise<void> {
  await lab.bucket('b', { ...pack, copies });
  for (let index = 0; index < number; index++) await put(lab, 'b', `k${index}`, `content ${index}`.repeat(index + 1));
}

async function breakBackend(lab: Lab, index: number): Promise<void> {
  lab.backends[index]!.backend.faults.push({ verb: 'health', times: Number.POSITIVE_INFINITY, effect: 'unreachable' });
  await lab.keepers({ unhealthyAfterMs }).replicator.run(signal);
  lab.clock.advance(hourMs + 1);
}

const situations: readonly Situation[] = [
  { name: 'nothing is owed', prepare: (lab) => putSome(lab, 2), copies: 0, drops: 0 },
  {
    name: 'a bucket wants more copies than before',
    prepare: async (lab) => {
      await putSome(lab, 1);
      await lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies: 2 }), 'tester');
    },
    copies: 5,
    drops: 0,
  },
  {
    name: 'a damaged copy was let go',
    prepare: async (lab) => {
      await putSome(lab, 2, 2);
      const { blobs } = lab.backends[0]!.backend;
      blobs.delete([...blobs.keys()][0]!);
      lab.clock.advance(31 * dayMs);
      await lab.keepers().scrubber.run(signal);
    },
    copies: 1,
    drops: 0,
  },
  {
    name: 'a backend drains',
    prepare: async (lab) => {
      await putSome(lab, 2);
      await lab.setState('m1', 'draining');
    },
    copies: 5,
    drops: 5,
  },
  {
    name: 'a backend drains, and there are enough others',
    prepare: async (lab) => {
      await putSome(lab, 3);
      await lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies: 2 }), 'tester');
      await lab.setState('m2', 'draining');
    },
    copies: 0,
    drops: 5,
  },
  {
    name: 'a backend drains that has the only copies, in two parts',
    prepare: async (lab) => {
      await lab.bucket('b', pack);
      const upload = await beginUpload(lab, 'b', 'in parts');
      const parts = [
        await putPart(lab, upload, 1, Buffer.alloc(5 * 1024 ** 2)),
        await putPart(lab, upload, 2, Buffer.from('end')),
      ];
      await complete(lab, upload, parts);
      await lab.setState('m1', 'draining');
    },
    copies: 2,
    drops: 2,
  },
  {
    name: 'a backend is away',
    prepare: async (lab) => {
      await putSome(lab, 2);
      await breakBackend(lab, 0);
    },
    copies: 5,
    drops: 0,
    warnings: [/^m1 is away/],
  },
  {
    name: 'a backend that was away for long is back',
    prepare: async (lab) => {
      await putSome(lab, 2);
      await breakBackend(lab, 0);
      await lab.keepers({ unhealthyAfterMs }).replicator.run(signal);
      lab.backends[0]!.backend.faults.length = 0;
    },
    copies: 0,
    drops: 0,
  },
  {
    name: 'there is no other backend',
    backends: 2,
    prepare: async (lab) => {
      await putSome(lab, 2);
      await lab.setState('m1', 'draining');
    },
    copies: 0,
    drops: 0,
    warnings: [/^There is no other active backend that has no copy yet\. \(5 times\)$/],
  },
  {
    name: 'there is room for some',
    prepare: async (lab) => {
      await lab.bucket('b', { ...pack, copies: 2 });
      for (let index = 0; index < 4; index++) await put(lab, 'b', `k${index}`, Buffer.alloc(5_000, index));
      const [row] = await lab.store.read((reader) =>
        reader.rows<{ n: number }>('select max(stored_bytes) as n from copies', []),
      );
      await lab.store.write(setTestQuota, { name: 'm3', quotaBytes: 2 * Number(row!.n) + 100 });
      await lab.setState('m1', 'draining');
    },
    copies: 2,
    drops: 2,
    isTight: true,
    warnings: [/has room\. \(2 times\)$/],
  },
  {
    name: 'an object goes to another storage class, and one whose class is full is kept as safe as ever',
    backends: 4,
    classes: [
      { name: 'COLD', labels: { tier: 'cold' } },
      { name: 'FULL', labels: { tier: 'full' } },
    ],
    prepare: async (lab) => {
      await lab.bucket('b', { ...pack });
      for (const [name, label] of [
        ['m3', 'cold'],
        ['m4', 'full'],
      ] as const) {
        const values = [JSON.stringify({ tier: label }), name];
        await lab.store.write(runStatement, { sql: 'update object_backends set labels = ? where name = ?', values });
      }
      await put(lab, 'b', 'cold', 'cold');
      await put(lab, 'b', 'full', 'full');
      await copy(lab, ['b', 'cold'], ['b', 'cold'], { storageClass: 'COLD' });
      await copy(lab, ['b', 'full'], ['b', 'full'], { storageClass: 'FULL' });
      await lab.store.write(setTestQuota, { name: 'm4', quotaBytes: 1 });
    },
    copies: 1,
    drops: 1,
    warnings: [/has room\.$/],
  },
];

function labelled(situation: Situation) {
  const labels = [{}, {}, { tier: 'cold' }, { tier: 'full' }];
  const backends = labBackends(situation.backends ?? 3);
  return situation.classes === undefined
    ? backends
    : backends.map((one, index) => ({ ...one, labels: labels[index]! }));
}

onEveryStore('a plan of the replicator', (engine) => {
  for (const situation of situations) {
    test(`is what the run then does: ${situation.name}`, async () => {
      const lab = await openLab(engine, labelled(situation), null, situation.classes ?? []);
      await situation.prepare(lab);
      const done = await planAndRun(lab, lab.keepers({ unhealthyAfterMs }).replicator);
      const words = (steps: readonly string[]) => steps.map((step) => step.split(' ')[0]!);
      if (situation.isTight === true) assert.deepEqual(words(stepsOf(done.plan)), words(copiesMoved(done)));
      else assertCopies(done);
      const actions = words(stepsOf(done.plan));
      const counted = ['copy', 'drop'].map((action) => actions.filter((one) => one === action).length);
      assert.deepEqual(counted, [situation.copies, situation.drops]);
      const { warnings = [] } = done.plan;
      assert.equal(warnings.length, situation.warnings?.length ?? 0, warnings.join(' '));
      for (const [index, sentence] of (situation.warnings ?? []).entries()) assert.match(warnings[index]!, sentence);
      const again = await lab.keepers({ unhealthyAfterMs }).replicator.plan!(signal);
      assert.equal(again.count, 0, 'what was done is not planned again');
      assert.deepEqual((await lab.check()).findings, []);
      await lab.close();
    });
  }

  test('is what the run then does, whatever became of buckets and backends', async () => {
    const lab = await openLab(engine, labBackends(5));
    await lab.bucket('b', pack);
    await lab.bucket('c', { ...pack, copies: 3 });
    let key = 0;
    const step = fc.record({
      bucket: fc.constantFrom('b', 'c'),
      copies: fc.integer({ min: 1, max: 4 }),
      states: fc.array(fc.constantFrom('active', 'draining'), { minLength: 4, maxLength: 4 }),
      failing: fc.nat(4),
      objects: fc.integer({ min: 0, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(step, async ({ bucket, copies, states, failing, objects }) => {
        lab.backends[failing]!.backend.faults.push({ verb: 'put', times: 1, effect: 'fail' });
        for (let index = 0; index < objects; index++)
          await put(lab, bucket, `k${key++ % 12}`, Buffer.alloc(100 * index)).catch(() => {});
        for (const { backend } of lab.backends) backend.faults.length = 0;
        await lab.gateway.writer.settle();
        await lab.gateway.writer.leftovers.giveUp();
        await lab.gateway.buckets.update(bucket, (settings) => ({ ...settings, copies }), 'tester');
        for (const [index, state] of states.entries())
          await lab.setState(`m${index + 1}`, state as 'active' | 'draining');
        // Past every wait of what found nowhere to go.
        lab.clock.advance(dayMs);
        assertCopies(await planAndRun(lab, lab.keepers().replicator));
        await lab.keepers().cleanup.run(signal);
      }),
      { numRuns: 12 },
    );
    for (const { name } of lab.backends) await lab.setState(name, 'active');
    await assertClean(lab);
    await lab.close();
  });

  test('is cut where there is much to do, and says so', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { ...pack, copies: 2 });
    await addObjects(lab, 1_200);
    await lab.setState('m1', 'draining');
    const plan = await lab.keepers().replicator.plan!(signal);
    assert.deepEqual([plan.steps.length, plan.isExact], [1_000, false]);
    assert.ok(plan.count >= 1_000);
    assert.match(plan.summary, /^At least \d+ copies would be made or let go/);
    assert.equal(await count(lab.store, 'shortfalls'), 0);
    await lab.close();
  });
});

/** Adds objects with copies on m1 and m2, by the ledger alone: nobody reads them. */
async function addObjects(lab: Lab, number: number): Promise<void> {
  const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${number})`;
  const statements = [
    `insert into objects (bucket, object_key, version_id, seq, is_latest, is_marker, content_id, size_bytes, etag,
       attributes, owner, modified_at) ${numbers} select 'b', 'k' || i, 'null', 1, 1, 0, 'c' || i, 10, 'e', '{}', 'o', 0 from n`,
    `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, created_at) ${numbers}
       select 'c' || i, 1, b.name, 'b/' || i, 10, 12, 0, 0 from n, object_backends b where b.name <> 'm3'`,
  ];
  for (const sql of statements) await lab.store.write(runStatement, { sql, values: [] });
}
