import { CompiledQuery } from 'kysely';
import { type ErrorData, fromErrorData } from '../errors/errors.ts';
import type { Migration } from './migrations/migration.ts';
import type { Reader } from './store.ts';
import { type Call, call, transaction } from './transaction.ts';

/** A table of the conformance suite's own. */
export const conformanceMigration: Migration = {
  name: '9001_conformance',
  up: async (db, types) => {
    const columns = `id ${types.key} primary key, value ${types.integer} not null, content text`;
    await db.executeQuery(CompiledQuery.raw(`create table conformance_rows (${columns})`));
  },
  down: async (db) => {
    await db.executeQuery(CompiledQuery.raw('drop table conformance_rows'));
  },
};

/** Makes one table and then fails, as a migration does that meets data it did not expect. */
export const brokenMigration: Migration = {
  name: '9002_broken',
  up: async (db) => {
    await db.executeQuery(CompiledQuery.raw('create table conformance_half_made (id integer)'));
    throw new Error('the second half failed');
  },
  down: async () => {},
};

export async function valueOf(reader: Reader, id: string): Promise<number | null> {
  const [row] = await reader.rows<{ value: number }>('select value from conformance_rows where id = ?', [id]);
  return row?.value ?? null;
}

export const putRow = transaction(
  import.meta.url,
  'putRow',
  async (tx, params: { readonly id: string; readonly value: number }): Promise<string> => {
    await tx.run('insert into conformance_rows (id, value) values (?, ?)', [params.id, params.value]);
    return `put ${params.id}`;
  },
);

export const addOne = transaction(
  import.meta.url,
  'addOne',
  async (tx, params: { readonly id: string }): Promise<number> => {
    const [row] = await tx.rows<{ value: number }>(
      'update conformance_rows set value = value + 1 where id = ? returning value',
      [params.id],
    );
    return row!.value;
  },
);

/** Writes and then throws: `error`, or an error that is not ours. */
export const putAndThrow = transaction(
  import.meta.url,
  'putAndThrow',
  async (tx, params: { readonly id: string; readonly error: ErrorData | null }): Promise<void> => {
    await tx.call(call(putRow, { id: params.id, value: 1 }));
    throw params.error === null ? new TypeError('not one of ours') : fromErrorData(params.error);
  },
);

/** Runs other transactions' bodies in this one. */
export const callEach = transaction(
  import.meta.url,
  'callEach',
  async (tx, params: { readonly calls: readonly Call[] }): Promise<unknown[]> => {
    const results: unknown[] = [];
    for (const each of params.calls) results.push(await tx.call(each));
    return results;
  },
);

export const echo = transaction(import.meta.url, 'echo', async (_tx, params: unknown) => params);

/** Answers with something that no thread can send to another. */
export const answerWithFunction = transaction(
  import.meta.url,
  'answerWithFunction',
  async (tx, params: { readonly id: string }) => {
    await tx.call(call(putRow, { id: params.id, value: 1 }));
    return () => params.id;
  },
);

/** Writes, meets an error, hides it, and says that all is well. */
export const hideError = transaction(
  import.meta.url,
  'hideError',
  async (tx, params: { readonly id: string }): Promise<string> => {
    await tx.call(call(putRow, { id: params.id, value: 1 }));
    await tx.call(call(putRow, { id: params.id, value: 2 })).catch(() => {});
    return 'all is well';
  },
);

/** Inserts only when there is nothing yet: right for concurrent callers only because of the lock. */
export const putIfNone = transaction(
  import.meta.url,
  'putIfNone',
  async (tx, params: { readonly prefix: string; readonly id: string }): Promise<boolean> => {
    await tx.lock(`conformance:${params.prefix}`);
    const known = await tx.rows('select id from conformance_rows where id like ?', [`${params.prefix}%`]);
    if (known.length > 0) return false;
    await tx.call(call(putRow, { id: params.id, value: 1 }));
    return true;
  },
);

/** Locks two rows in the given order, which deadlocks with the opposite order on an engine of several writers. */
export const addToBoth = transaction(
  import.meta.url,
  'addToBoth',
  async (tx, params: { readonly ids: readonly string[] }): Promise<void> => {
    for (const id of params.ids) await tx.call(call(addOne, { id }));
  },
);

export const putContent = transaction(
  import.meta.url,
  'putContent',
  async (tx, params: { readonly id: string; readonly bytes: number }): Promise<void> => {
    const content = 'x'.repeat(params.bytes);
    await tx.run('insert into conformance_rows (id, value, content) values (?, 1, ?)', [params.id, content]);
  },
);

/** Lets the embedded database grow by so many pages and no further; `null` takes the limit away. */
export const limitGrowth = transaction(
  import.meta.url,
  'limitGrowth',
  async (tx, params: { readonly pages: number | null }): Promise<void> => {
    const [size] = await tx.rows<{ page_count: number }>('pragma page_count', []);
    const limit = params.pages === null ? 1_000_000_000 : size!.page_count + params.pages;
    await tx.rows(`pragma max_page_count = ${limit}`, []);
  },
);
