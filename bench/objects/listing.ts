import { openStore } from '../../src/kernel/store/open.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { transaction } from '../../src/kernel/store/transaction.ts';
import { migrations } from '../../src/migrations.ts';
import { createBucket } from '../../src/objects/ledger/change-bucket.ts';
import type { ListPosition, ListRequest } from '../../src/objects/gateway.ts';
import { listObjects } from '../../src/objects/queries/listing.ts';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { row } from '../support/report.ts';
import { serveCommand, startProcess } from '../support/server-process.ts';

const objects = 1_000_000;
const perTransaction = 20_000;
const groups = 1_000;
const pageSize = 1_000;
const repeats = 20;

const insert = `insert into objects (bucket, object_key, version_id, seq, is_latest, is_marker, content_id, size_bytes, etag,
  attributes, owner, modified_at) values ('bench', ?, 'null', 1, 1, 0, ?, 4096, ?, ?, 'bench', 0)`;
const attributes = JSON.stringify({ contentType: 'text/plain', headers: {}, metadata: {}, checksums: [] });

/** Enters many objects at once. Exported because a transaction is found by its name. */
export const fillObjects = transaction(
  import.meta.url,
  'fillObjects',
  async (tx, { from, to }: { readonly from: number; readonly to: number }): Promise<void> => {
    for (let index = from; index < to; index++) {
      const group = String(index % groups).padStart(4, '0');
      const etag = index.toString(16).padStart(32, '0');
      await tx.run(insert, [`logs/${group}/${String(index).padStart(9, '0')}.json`, `c-${index}`, etag, attributes]);
    }
  },
);

/**
 * Pages of a bucket with a million objects: what a page costs must not depend on where it is, nor on what lies under its
 * prefixes.
 */
export async function benchObjectListing(): Promise<void> {
  await using directory = await temporaryDirectory();
  const settings = { databaseUrl: undefined, dataDirectory: directory.path, timeoutMs: 120_000, migrations };
  const store = await openStore(settings, { owner: true });
  await store.write(createBucket, { name: 'bench', settings: {}, actor: 'bench', nowMs: 0 });
  for (let from = 0; from < objects; from += perTransaction) {
    await store.write(fillObjects, { from, to: Math.min(objects, from + perTransaction) });
  }
  const flat = { bucket: 'bench', prefix: '', delimiter: null, limit: pageSize };
  const key = (group: number) => `logs/${String(group).padStart(4, '0')}/`;
  const after = (group: number): ListPosition => ({ key: key(group), isPrefix: false });
  await report(store, 'keys, first page', { ...flat, after: null });
  await report(store, 'keys, in the middle', { ...flat, after: after(groups / 2) });
  await report(store, 'keys, last page', { ...flat, after: after(groups - 1) });
  await report(store, 'one prefix of 1,000 keys', { ...flat, prefix: key(500), after: null });
  await report(store, '1,000 common prefixes of 1,000 keys each', {
    ...flat,
    prefix: 'logs/',
    delimiter: '/',
    after: null,
  });
  await report(store, '1 common prefix of 1,000,000 keys', { ...flat, delimiter: '/', after: null });
  await store.close();
  const env = { HOLDFAST_DATA_DIR: directory.path, HOLDFAST_PORT: '0', LOG_LEVEL: 'silent' };
  const server = await startProcess(serveCommand, env);
  row(`start to ready with ${objects} objects`, `${Math.round(server.readyMs)} ms`);
  await server.stop();
}

async function report(store: Store, what: string, request: ListRequest): Promise<void> {
  let told = 0;
  let bestMs = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < repeats; repeat++) {
    const beganAt = performance.now();
    const page = await store.read((reader) => listObjects(reader, request));
    bestMs = Math.min(bestMs, performance.now() - beganAt);
    told = page.versions.length + page.prefixes.length;
  }
  row(`list ${what} (${told} told)`, `${bestMs.toFixed(2)} ms`);
}

if (import.meta.main) await benchObjectListing();
