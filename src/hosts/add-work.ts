import type { ErrorData } from '../kernel/errors/errors.ts';
import type { Tx } from '../kernel/store/store.ts';
import { transaction } from '../kernel/store/transaction.ts';

export interface NewWork {
  readonly id: string;
  readonly hostId: string;
  /** Of the step that waits for it. */
  readonly token: string;
  readonly resource: string;
  readonly kind: string;
  readonly fence: number;
  readonly attempt: number;
  readonly input: unknown;
  /** Sealed. */
  readonly secret: string | null;
  readonly timeoutMs: number;
}

/** How far a piece of work is. */
export type WorkState =
  | { readonly state: 'pending' | 'superseded' }
  | { readonly state: 'done'; readonly output: unknown }
  | { readonly state: 'failed'; readonly error: ErrorData };

export interface WorkRow {
  readonly state: 'pending' | 'done' | 'failed' | 'superseded';
  readonly output: string | null;
  readonly error: string | null;
}

export interface AddedWork {
  /** That of the work that was found, or of the new one. */
  readonly id: string;
  readonly state: WorkState;
  /** Work that nobody will do any more. */
  readonly superseded: readonly string[];
}

/**
 * Enters work for a host, or finds what an earlier attempt of the same step has entered: what is done stays done, what is
 * pending is waited for longer, and what failed is done again by a new attempt only. For another process, which takes the
 * step over with a higher fence, what is done is done again: its effect may have ended together with the host. Work of the
 * same resource with a lower fence is over, so that an agent that comes back late does not do it.
 */
export const addWork = transaction(import.meta.url, 'addWork', async (tx, work: NewWork): Promise<AddedWork> => {
  const superseded = await supersede(tx, work);
  const { token, attempt, fence, timeoutMs } = work;
  const [found] = await tx.rows<WorkRow & { id: string; attempt: number; fence: number }>(
    'select id, attempt, fence, state, output, error from host_work where token = ? order by attempt desc limit 1',
    [token],
  );
  const isDoneBefore = found?.state === 'done' && fence > found.fence;
  if (isDoneBefore && attempt === found.attempt) {
    await begin(tx, work);
    return { id: work.id, state: { state: 'pending' }, superseded };
  }
  if (
    isDoneBefore ||
    found === undefined ||
    (attempt > found.attempt && (found.state === 'failed' || found.state === 'superseded'))
  ) {
    await insert(tx, work);
    return { id: work.id, state: { state: 'pending' }, superseded };
  }
  // The fence grows when another process takes the step over; the work is the same.
  await tx.run(
    `update host_work set expires_at = ${tx.fragments.nowMs} + ?, fence = ? where id = ? and state = 'pending'`,
    [timeoutMs, fence, found.id],
  );
  return { id: found.id, state: workState(found), superseded };
});

async function supersede(tx: Tx, { hostId, resource, token, fence }: NewWork): Promise<string[]> {
  const rows = await tx.rows<{ id: string }>(
    `select id from host_work where host_id = ? and resource = ? and state = 'pending' and fence < ? and token <> ?
     order by id`,
    [hostId, resource, fence, token],
  );
  for (const { id } of rows) {
    await tx.run(
      `update host_work set state = 'superseded', secret = null, finished_at = ${tx.fragments.nowMs}
       where id = ? and state = 'pending'`,
      [id],
    );
  }
  return rows.map(({ id }) => id);
}

/** The same work once more. */
async function begin(tx: Tx, { id, fence, secret, timeoutMs }: NewWork): Promise<void> {
  await tx.run(
    `update host_work set state = 'pending', output = null, finished_at = null, fence = ?, secret = ?,
       expires_at = ${tx.fragments.nowMs} + ? where id = ?`,
    [fence, secret, timeoutMs, id],
  );
}

async function insert(tx: Tx, work: NewWork): Promise<void> {
  const { id, hostId, token, resource, kind, fence, attempt, input, secret, timeoutMs } = work;
  const now = tx.fragments.nowMs;
  await tx.run(
    `insert into host_work
       (id, host_id, token, resource, kind, fence, attempt, input, secret, state, created_at, expires_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ${now}, ${now} + ?)`,
    [id, hostId, token, resource, kind, fence, attempt, JSON.stringify(input), secret, timeoutMs],
  );
}

export function workState({ state, output, error }: WorkRow): WorkState {
  if (state === 'done') return { state, output: JSON.parse(output ?? 'null') as unknown };
  if (state === 'failed') return { state, error: JSON.parse(error!) as ErrorData };
  return { state };
}
