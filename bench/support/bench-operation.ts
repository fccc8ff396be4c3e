import { CompiledQuery } from 'kysely';
import { findReplay, startOperation, type OperationRequest } from '../../src/kernel/operations/start.ts';
import type { OperationKind } from '../../src/kernel/operations/operation.ts';
import type { Migration } from '../../src/kernel/store/migrations/migration.ts';
import { call, transaction } from '../../src/kernel/store/transaction.ts';

/** A domain row, so that the first and the last commit carry what a real operation's would. */
export const benchMigration: Migration = {
  name: '9000_bench',
  up: async (db, types) => {
    await db.executeQuery(
      CompiledQuery.raw(`create table bench_rows (id ${types.key} primary key, state text not null)`),
    );
  },
  down: async (db) => {
    await db.executeQuery(CompiledQuery.raw('drop table bench_rows'));
  },
};

export interface BenchInput {
  readonly row: string;
}

export const acceptBench = transaction(
  import.meta.url,
  'acceptBench',
  async (tx, params: { readonly request: OperationRequest; readonly row: string; readonly kind?: string }) => {
    const known = await findReplay(tx, params.request);
    if (known !== null) return known;
    await tx.run(
      'insert into bench_rows (id, state) values (?, ?) on conflict (id) do update set state = excluded.state',
      [params.row, 'working'],
    );
    return startOperation(tx, params.request, {
      kind: params.kind ?? benchKind.name,
      resource: `bench:${params.row}`,
      input: { row: params.row },
    });
  },
);

export const setBenchRow = transaction(import.meta.url, 'setBenchRow', async (tx, params: { readonly row: string }) => {
  await tx.run('update bench_rows set state = ? where id = ?', ['done', params.row]);
});

/** Three steps that do nothing, with a domain write in the last one's commit. */
export const benchKind: OperationKind<BenchInput> = {
  name: 'bench.noop',
  run: async (op) => {
    await op.step('one', () => 1);
    await op.step('two', () => 2);
    await op.step('three', () => 3, { commit: () => call(setBenchRow, { row: op.input.row }) });
    return 'done';
  },
};

/** One that holds its resource, so that others wait in line. */
export const blockingKind: OperationKind<BenchInput> = {
  name: 'bench.blocking',
  run: async (op) => op.waitFor('never', 600_000),
};
