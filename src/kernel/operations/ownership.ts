import type { Reader, Tx } from '../store/store.ts';
import { transaction } from '../store/transaction.ts';
import { takeNext } from './finish.ts';
import type { RunData } from './start.ts';

/** The lease that holds on an embedded store: as long as the process. */
const forever = Number.MAX_SAFE_INTEGER;

export interface ReplicaParams {
  readonly id: string;
  /** `null` on an embedded store, whose side file is the lease. */
  readonly ttlMs: number | null;
  readonly detail: string;
  readonly nowMs: number;
}

/** Enters this process under a fresh id. On an embedded store every other entry is dead by proof. */
export const registerReplica = transaction(import.meta.url, 'registerReplica', async (tx, params: ReplicaParams) => {
  const { id, ttlMs, detail, nowMs } = params;
  if (ttlMs === null) {
    await tx.run('delete from replicas', []);
    await tx.run('insert into replicas (id, until, started_at, detail) values (?, ?, ?, ?)', [
      id,
      forever,
      nowMs,
      detail,
    ]);
    return;
  }
  await tx.run(`insert into replicas (id, until, started_at, detail) values (?, ${tx.fragments.nowMs} + ?, ?, ?)`, [
    id,
    ttlMs,
    nowMs,
    detail,
  ]);
});

/** Renews a lease that has not run out. An expired one is never revived: its operations may have been taken over. */
export const renewReplica = transaction(
  import.meta.url,
  'renewReplica',
  async (tx, params: { readonly id: string; readonly ttlMs: number }): Promise<boolean> => {
    const now = tx.fragments.nowMs;
    const renewed = await tx.run(`update replicas set until = ${now} + ? where id = ? and until > ${now}`, [
      params.ttlMs,
      params.id,
    ]);
    return renewed === 1;
  },
);

/** Gives every run of this replica back and ends its lease, so that others go on at once. */
export const releaseReplica = transaction(
  import.meta.url,
  'releaseReplica',
  async (tx, params: { readonly id: string }) => {
    await tx.run(`update operations set owner = null, version = version + 1 where owner = ? and status = 'executing'`, [
      params.id,
    ]);
    await tx.run('delete from replicas where id = ?', [params.id]);
  },
);

interface OrphanRow {
  id: string;
  kind: string;
  resource: string;
  input: string;
  actor: string;
  owner: string | null;
  cancel_requested: number;
  created_at: number;
  traceparent: string | null;
}

const orphans = (
  fragment: string,
) => `select id, kind, resource, input, actor, owner, cancel_requested, created_at, traceparent
  from operations where status = 'executing' and (owner is null or owner not in (select id from replicas))
  order by id limit ? ${fragment}`;

export interface AdoptParams {
  readonly owner: string;
  readonly limit: number;
  readonly nowMs: number;
}

/** Takes over runs whose owners are dead or gave them back, each under a higher fence. */
export const adoptOperations = transaction(
  import.meta.url,
  'adoptOperations',
  async (tx, params: AdoptParams): Promise<readonly RunData[]> => {
    const { owner, limit, nowMs } = params;
    await tx.run(`delete from replicas where until < ${tx.fragments.nowMs}`, []);
    const found = await tx.rows<OrphanRow>(orphans(tx.fragments.forUpdateSkipLocked), [limit]);
    const runs: RunData[] = [];
    for (const row of found) runs.push(await take(tx, row, owner));
    runs.push(...(await takeForgotten(tx, owner, limit, nowMs)));
    return runs;
  },
);

/** Runs that are ours in the store; the engine compares them with those it knows. */
export async function ownRuns(reader: Reader, owner: string): Promise<readonly RunData[]> {
  const rows = await reader.rows<OrphanRow & { fence: number; takeovers: number }>(
    `select id, kind, resource, input, actor, owner, cancel_requested, created_at, traceparent, fence, takeovers
     from operations where status = 'executing' and owner = ?`,
    [owner],
  );
  return rows.map((row) => toRun(row, row.fence, row.takeovers));
}

async function take(tx: Tx, row: OrphanRow, owner: string): Promise<RunData> {
  const [lock] = await tx.rows<{ fence: number }>(
    'update resource_locks set fence = fence + 1 where resource = ? and operation_id = ? returning fence',
    [row.resource, row.id],
  );
  if (lock === undefined) throw new Error(`operation ${row.id} runs without holding ${row.resource}`);
  // One that was given back in good order is not a sign of poison.
  const [taken] = await tx.rows<{ takeovers: number }>(
    `update operations set owner = ?, fence = ?, takeovers = takeovers + ?, version = version + 1 where id = ? returning takeovers`,
    [owner, lock.fence, row.owner === null ? 0 : 1, row.id],
  );
  return toRun(row, lock.fence, taken!.takeovers);
}

/** A net: a free resource with others in line should not exist, and if it does it is handed over here. */
async function takeForgotten(tx: Tx, owner: string, limit: number, nowMs: number): Promise<RunData[]> {
  const forgotten = await tx.rows<{ resource: string }>(
    `select resource from resource_locks where operation_id is null and waiting > 0 order by resource limit ?
     ${tx.fragments.forUpdateSkipLocked}`,
    [limit],
  );
  const runs: RunData[] = [];
  for (const { resource } of forgotten) {
    const run = await takeNext(tx, resource, owner, nowMs);
    if (run !== null) runs.push(run);
  }
  return runs;
}

function toRun(row: OrphanRow, fence: number, takeovers: number): RunData {
  const { id, kind, resource, actor, traceparent } = row;
  const input: unknown = JSON.parse(row.input);
  const isCancelRequested = row.cancel_requested === 1;
  return {
    id,
    kind,
    resource,
    input,
    fence,
    actor,
    takeovers,
    isCancelRequested,
    createdAtMs: row.created_at,
    traceparent,
  };
}
