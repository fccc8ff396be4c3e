import type { ErrorData } from '../errors/errors.ts';
import type { Tx } from '../store/store.ts';
import { type Call, transaction } from '../store/transaction.ts';

/** Proof of ownership that every write of a run carries. */
export interface Ownership {
  readonly operationId: string;
  readonly owner: string;
  readonly fence: number;
}

/** `lost`: another replica owns the run now; write nothing more and stop. */
export type JournalResult = 'written' | 'lost';

// Changing the row is the check: it also keeps a taker from reading the journal until this transaction has ended.
const guard = `update operations set version = version + 1 where id = ? and owner = ? and fence = ? and status = 'executing'`;

/** Whether the run is still ours, locked until the transaction ends. */
export async function isOwned(tx: Tx, own: Ownership): Promise<boolean> {
  return (await tx.run(guard, [own.operationId, own.owner, own.fence])) === 1;
}

export interface StepWrite {
  readonly own: Ownership;
  readonly name: string;
  readonly position: number;
  readonly attempts: number;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly commit: Call | null;
}

const complete = `insert into operation_steps
    (operation_id, name, position, status, attempts, output, error, next_attempt_at, started_at, finished_at)
  values (?, ?, ?, 'completed', ?, ?, null, null, ?, ?)
  on conflict (operation_id, name) do update set status = 'completed', attempts = excluded.attempts, output = excluded.output,
    error = null, next_attempt_at = null, finished_at = excluded.finished_at
  where operation_steps.status <> 'completed'`;

// The same and its check in one statement, for steps after which the domain's state stays. A repeat changes nothing new.
const completeAlone = (lock: string) => `insert into operation_steps
    (operation_id, name, position, status, attempts, output, error, next_attempt_at, started_at, finished_at)
  select o.id, ?, ?, 'completed', ?, ?, null, null, ?, ? from operations o
    where o.id = ? and o.owner = ? and o.fence = ? and o.status = 'executing' ${lock}
  on conflict (operation_id, name) do update set status = 'completed', attempts = excluded.attempts, output = excluded.output,
    error = null, next_attempt_at = null, finished_at = excluded.finished_at`;

/** Journals a step's result together with the domain's state that follows from it. */
export const completeStep = transaction(
  import.meta.url,
  'completeStep',
  async (tx, params: StepWrite & { readonly output: string }): Promise<JournalResult> => {
    const { own, name, position, attempts, output, startedAtMs, nowMs, commit } = params;
    const { operationId, owner, fence } = own;
    if (commit === null) {
      const values = [name, position, attempts, output, startedAtMs, nowMs, operationId, owner, fence];
      return (await tx.run(completeAlone(tx.fragments.forUpdate), values)) === 1 ? 'written' : 'lost';
    }
    if (!(await isOwned(tx, own))) return 'lost';
    const changed = await tx.run(complete, [operationId, name, position, attempts, output, startedAtMs, nowMs]);
    // Nothing changed: this very write was committed before and only its answer was lost, so its state is written too.
    if (changed === 1) await tx.call(commit);
    return 'written';
  },
  ({ commit }) => commit === null,
);

const fail = `insert into operation_steps
    (operation_id, name, position, status, attempts, output, error, next_attempt_at, started_at, finished_at)
  values (?, ?, ?, ?, ?, null, ?, ?, ?, ?)
  on conflict (operation_id, name) do update set status = excluded.status, attempts = excluded.attempts,
    error = excluded.error, next_attempt_at = excluded.next_attempt_at, finished_at = excluded.finished_at
  where operation_steps.attempts < excluded.attempts`;

/** Journals a failed attempt (`nextAttemptAtMs` null: the last one) together with the domain's state. */
export const failAttempt = transaction(
  import.meta.url,
  'failAttempt',
  async (
    tx,
    params: StepWrite & { readonly error: ErrorData; readonly nextAttemptAtMs: number | null },
  ): Promise<JournalResult> => {
    const { own, name, position, attempts, error, nextAttemptAtMs, startedAtMs, nowMs, commit } = params;
    if (!(await isOwned(tx, own))) return 'lost';
    const isFinal = nextAttemptAtMs === null;
    const changed = await tx.run(fail, [
      own.operationId,
      name,
      position,
      isFinal ? 'failed' : 'waiting',
      attempts,
      JSON.stringify(error),
      nextAttemptAtMs,
      startedAtMs,
      isFinal ? nowMs : null,
    ]);
    if (changed === 1 && commit !== null) await tx.call(commit);
    return 'written';
  },
);

/** Writes the domain's state before another attempt begins, once; `attempts` is how many have failed. */
export const beginRetry = transaction(
  import.meta.url,
  'beginRetry',
  async (
    tx,
    params: { readonly own: Ownership; readonly name: string; readonly attempts: number; readonly commit: Call },
  ): Promise<JournalResult> => {
    const { own, name, attempts, commit } = params;
    if (!(await isOwned(tx, own))) return 'lost';
    const changed = await tx.run(
      `update operation_steps set next_attempt_at = null
       where operation_id = ? and name = ? and attempts = ? and next_attempt_at is not null`,
      [own.operationId, name, attempts],
    );
    if (changed === 1) await tx.call(commit);
    return 'written';
  },
);

/** Journals when a sleep ends, once. */
export const beginSleep = transaction(
  import.meta.url,
  'beginSleep',
  async (
    tx,
    params: {
      readonly own: Ownership;
      readonly name: string;
      readonly position: number;
      readonly untilMs: number;
      readonly nowMs: number;
    },
  ): Promise<JournalResult> => {
    const { own, name, position, untilMs, nowMs } = params;
    if (!(await isOwned(tx, own))) return 'lost';
    await tx.run(
      `insert into operation_steps (operation_id, name, position, status, attempts, next_attempt_at, started_at)
       values (?, ?, ?, 'waiting', 0, ?, ?) on conflict (operation_id, name) do nothing`,
      [own.operationId, name, position, untilMs, nowMs],
    );
    return 'written';
  },
);
