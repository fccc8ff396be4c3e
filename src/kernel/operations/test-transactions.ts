import { CompiledQuery } from 'kysely';
import { type ErrorData, fromErrorData } from '../errors/errors.ts';
import { appendEvent } from '../events/event.ts';
import type { Migration } from '../store/migrations/migration.ts';
import type { Reader } from '../store/store.ts';
import { transaction } from '../store/transaction.ts';
import { findReplay, type OperationRequest, startOperation } from './start.ts';

/** The domain of the engine's tests: rows with a state, each change of which is an event. */
export const testMigration: Migration = {
  name: '9003_operations_test',
  up: async (db, types) => {
    await db.executeQuery(
      CompiledQuery.raw(
        `create table test_rows (id ${types.key} primary key, state ${types.key} not null, changes ${types.integer} not null)`,
      ),
    );
  },
  down: async (db) => {
    await db.executeQuery(CompiledQuery.raw('drop table test_rows'));
  },
};

export interface TestInput {
  readonly row: string;
  readonly [more: string]: unknown;
}

/** Accepts an operation on a row, whose state becomes `accepted`. */
export const acceptTest = transaction(
  import.meta.url,
  'acceptTest',
  async (tx, params: { readonly request: OperationRequest; readonly kind: string; readonly input: TestInput }) => {
    const { request, kind, input } = params;
    const known = await findReplay(tx, request);
    if (known !== null) return known;
    const resource = `row:${input.row}`;
    await tx.run(
      `insert into test_rows (id, state, changes) values (?, 'accepted', 1)
       on conflict (id) do update set state = 'accepted', changes = test_rows.changes + 1`,
      [input.row],
    );
    const { operationId, actor, nowMs: createdAtMs } = request;
    await appendEvent(tx, { resource, type: 'accepted', data: {}, operationId, actor, createdAtMs });
    return startOperation(tx, request, { kind, resource, input });
  },
);

export interface StateParams {
  readonly row: string;
  readonly state: string;
  readonly operationId: string;
  /** Thrown after the writing, when the domain refuses. */
  readonly refusal?: ErrorData;
}

/** Writes a row's state and its event. */
export const setState = transaction(import.meta.url, 'setState', async (tx, params: StateParams): Promise<void> => {
  const { row, state, operationId, refusal } = params;
  await tx.run('update test_rows set state = ?, changes = changes + 1 where id = ?', [state, row]);
  const resource = `row:${row}`;
  await appendEvent(tx, { resource, type: state, data: {}, operationId, actor: 'test', createdAtMs: 0 });
  if (refusal !== undefined) throw fromErrorData(refusal);
});

/** Ends a replica's lease as if its time had run out. */
export const expireReplica = transaction(
  import.meta.url,
  'expireReplica',
  async (tx, params: { readonly id: string }): Promise<void> => {
    await tx.run('update replicas set until = 0 where id = ?', [params.id]);
  },
);

/** Says that an operation was taken over so often. */
export const setTakeovers = transaction(
  import.meta.url,
  'setTakeovers',
  async (tx, params: { readonly id: string; readonly takeovers: number }): Promise<void> => {
    await tx.run('update operations set takeovers = ? where id = ?', [params.takeovers, params.id]);
  },
);

/** The states a row went through, in order, one per change. */
export async function statesOf(reader: Reader, row: string): Promise<string[]> {
  const events = await reader.rows<{ type: string; seq: number }>(
    'select type, seq from events where resource = ? order by seq',
    [`row:${row}`],
  );
  const gapless = events.every((event, index) => event.seq === index + 1);
  if (!gapless) throw new Error(`the events of ${row} have gaps: ${JSON.stringify(events)}`);
  return events.map((event) => event.type);
}

export interface LockRow {
  readonly operation_id: string | null;
  readonly fence: number;
  readonly waiting: number;
}

export async function lockOf(reader: Reader, row: string): Promise<LockRow> {
  const [lock] = await reader.rows<LockRow>(
    'select operation_id, fence, waiting from resource_locks where resource = ?',
    [`row:${row}`],
  );
  if (lock === undefined) throw new Error(`nothing was ever accepted for ${row}`);
  // SQLite's rows have no prototype, which deepEqual minds.
  return { ...lock };
}
