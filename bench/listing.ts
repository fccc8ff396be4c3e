import { createIdSource } from '../src/kernel/ids.ts';
import { openStore } from '../src/kernel/store/open.ts';
import { transaction } from '../src/kernel/store/transaction.ts';
import { migrations } from '../src/migrations.ts';
import { listVolumes } from '../src/volumes/queries.ts';
import { temporaryDirectory } from '../test/support/temp.ts';
import { percentile, row } from './support/report.ts';

const volumeCount = 1_000_000;
const batchSize = 20_000;
const pageSize = 1_000;
const rounds = 15;

const insert = `insert into volumes (id, name, state, size_bytes, backend, image, metadata, qos, attempt, generation, version, created_at, updated_at)
  values (?, ?, 'available', '1073741824', 'file', ?, '{}', '{}', 0, 0, 1, 1, 1)`;

/** Many volumes at once, for the figures alone. */
export const insertVolumes = transaction(
  import.meta.url,
  'insertVolumes',
  async (tx, params: { readonly ids: readonly string[] }) => {
    for (const id of params.ids) await tx.run(insert, [id, `n-${id}`, id]);
  },
);

/** A page of 1,000 of 1,000,000 volumes: the first against the last. */
export async function benchListing(): Promise<void> {
  await using directory = await temporaryDirectory();
  const store = await openStore(
    { databaseUrl: undefined, dataDirectory: directory.path, timeoutMs: 60_000, migrations },
    { owner: true },
  );
  const newId = createIdSource();
  const ids: string[] = [];
  for (let done = 0; done < volumeCount; done += batchSize) {
    const batch = Array.from({ length: batchSize }, () => newId('vol'));
    ids.push(...batch);
    await store.write(insertVolumes, { ids: batch });
  }
  const page = async (afterId: string | undefined) => {
    const beganAt = performance.now();
    const rows = await store.read((reader) => listVolumes(reader, { afterId, limit: pageSize }));
    if (rows.length !== pageSize) throw new Error(`a page of ${rows.length}`);
    return performance.now() - beganAt;
  };
  const first: number[] = [];
  const last: number[] = [];
  for (let round = 0; round < rounds; round++) {
    first.push(await page(undefined));
    last.push(await page(ids[volumeCount - pageSize - 1]));
  }
  row(`GET /volumes: ${pageSize} of ${volumeCount}, first page`, `p50 ${percentile(first, 0.5)} ms`);
  row(`GET /volumes: ${pageSize} of ${volumeCount}, last page`, `p50 ${percentile(last, 0.5)} ms`);
  await store.close();
}

if (import.meta.main) await benchListing();
