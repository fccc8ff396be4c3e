import type { Reader, Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { CopyRow, DrainRow } from '../tables.ts';

const draining = `select name from object_backends where state = 'draining' order by name`;
const beginWalk = 'insert into backend_drains (backend, started_at) values (?, ?) on conflict (backend) do nothing';
const page = `select content_id, part, storage_key from copies where backend = ? and storage_key > ?
  order by storage_key limit ?`;
const unqueued = `select * from (${page}) c where not exists (select 1 from shortfalls s where s.content_id = c.content_id
  and s.part = c.part) order by storage_key limit ?`;
const owe = `insert into shortfalls (content_id, part, bucket, due_at, attempts, claimed_until, created_at)
  values (?, ?, '', ?, 0, 0, ?) on conflict (content_id, part) do nothing`;

/** So many copies are passed over in one go, when all of them are queued already. */
const copiesPerPage = 2_000;
const pagesMax = 5;

type Standing = Pick<CopyRow, 'content_id' | 'part' | 'storage_key'>;

/** What one go found of a backend. */
export interface DrainingGo {
  readonly found: readonly Standing[];
  /** Where the next go begins; empty after the last copy. */
  readonly walkedTo: string;
}

export async function drainingBackends(reader: Pick<Reader, 'rows'>): Promise<string[]> {
  return (await reader.rows<{ name: string }>(draining, [])).map(({ name }) => name);
}

/** Where the walk over a draining backend is; at the beginning when it has not begun. */
export async function drainWalk(reader: Pick<Reader, 'rows'>, backend: string): Promise<string> {
  const [row] = await reader.rows<DrainRow>('select * from backend_drains where backend = ?', [backend]);
  return row?.walked_to ?? '';
}

/** The next copies on a draining backend that are not queued for being made elsewhere. */
export async function nextDraining(
  reader: Pick<Reader, 'rows'>,
  backend: string,
  { walkedTo, limit }: { readonly walkedTo: string; readonly limit: number },
): Promise<DrainingGo> {
  let after = walkedTo;
  let found: Standing[] = [];
  for (let pages = 0; pages < pagesMax && found.length === 0; pages++) {
    found = await reader.rows<Standing>(unqueued, [backend, after, copiesPerPage, limit]);
    const passed = found.length === limit ? found : await reader.rows<Standing>(page, [backend, after, copiesPerPage]);
    after = found.length === limit || passed.length === copiesPerPage ? passed.at(-1)!.storage_key : '';
    if (after === '') break;
  }
  return { found, walkedTo: after };
}

/**
 * Queues copies that stand on draining backends for being made elsewhere, some each time it is asked: going round, since
 * those that have nowhere to go stay where they are. Gives how many are new.
 */
export const queueDraining = transaction(
  import.meta.url,
  'queueDraining',
  async (tx, { limit, nowMs }: { readonly limit: number; readonly nowMs: number }): Promise<number> => {
    let queued = 0;
    for (const name of await drainingBackends(tx)) {
      if (queued < limit) queued += await queueFrom(tx, name, limit - queued, nowMs);
    }
    return queued;
  },
);

async function queueFrom(tx: Tx, backend: string, limit: number, nowMs: number): Promise<number> {
  await tx.run(beginWalk, [backend, nowMs]);
  const before = await drainWalk(tx, backend);
  const { found, walkedTo } = await nextDraining(tx, backend, { walkedTo: before, limit });
  for (const { content_id: contentId, part } of found) await tx.run(owe, [contentId, part, nowMs, nowMs]);
  if (walkedTo !== before) {
    await tx.run('update backend_drains set walked_to = ? where backend = ?', [walkedTo, backend]);
  }
  return found.length;
}
