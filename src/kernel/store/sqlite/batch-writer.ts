import type { Kysely } from 'kysely';
import { type ErrorData, toErrorData } from '../../errors/errors.ts';
import type { SqlValue, Tx } from '../store.ts';
import type { KernelTables } from '../tables.ts';
import type { TransactionLoader } from '../transaction.ts';
import type { SqliteDatabase } from './database.ts';
import { sqliteFragments } from './fragments.ts';
import { lazyQueryBuilder } from './lazy-query-builder.ts';
import { sqliteError } from './errors.ts';

export interface WriteRequest {
  readonly id: number;
  readonly module: string;
  readonly name: string;
  readonly params: unknown;
}

export type WriteReply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: ErrorData };

/**
 * Group commit: runs transactions one after the other, each in its own savepoint, and makes them durable together with
 * one fsync. A transaction that throws takes nothing but its own writes with it.
 */
export class BatchWriter {
  readonly #database: SqliteDatabase;
  readonly #loader: TransactionLoader;
  readonly #tx: Tx;

  constructor(database: SqliteDatabase, loader: TransactionLoader) {
    this.#database = database;
    this.#loader = loader;
    this.#tx = createTx(database, loader);
  }

  /** Never rejects: a thread that dies of one failed statement would take the store with it. */
  async run(requests: readonly WriteRequest[]): Promise<WriteReply[]> {
    const database = this.#database;
    try {
      database.change('begin immediate', []);
      return await this.#runAll(requests);
    } catch (error) {
      this.#rollBack();
      return failAll(requests, sqliteError(error));
    }
  }

  async #runAll(requests: readonly WriteRequest[]): Promise<WriteReply[]> {
    const database = this.#database;
    const replies: WriteReply[] = [];
    for (const request of requests) {
      replies.push(await this.#runOne(request));
      // A full disk can end the whole transaction from below; then nothing in this batch is kept.
      if (!database.handle.isTransaction)
        return failAll(requests, new Error('the database ended the transaction'), replies);
    }
    try {
      database.change('commit', []);
      return replies;
    } catch (error) {
      this.#rollBack();
      return failAll(requests, sqliteError(error, undefined, 'unknown'));
    }
  }

  #rollBack(): void {
    try {
      if (this.#database.handle.isTransaction) this.#database.change('rollback', []);
    } catch {
      // The next `begin` says what is wrong.
    }
  }

  async #runOne(request: WriteRequest): Promise<WriteReply> {
    const database = this.#database;
    database.change('savepoint one', []);
    try {
      const body = await this.#loader.load(request.module, request.name);
      const value = await body(this.#tx, request.params);
      database.change('release one', []);
      return { id: request.id, ok: true, value };
    } catch (error) {
      if (database.handle.isTransaction) {
        database.change('rollback to one', []);
        database.change('release one', []);
      }
      return { id: request.id, ok: false, error: toErrorData(sqliteError(error)) };
    }
  }
}

function failAll(requests: readonly WriteRequest[], error: unknown, replies: readonly WriteReply[] = []): WriteReply[] {
  const lastFailure = replies.findLast((reply) => !reply.ok);
  const data = lastFailure && !lastFailure.ok ? lastFailure.error : toErrorData(error);
  return requests.map((request) => ({ id: request.id, ok: false, error: data }));
}

function createTx(database: SqliteDatabase, loader: TransactionLoader): Tx {
  let db: Kysely<KernelTables> | undefined;
  const tx: Tx = {
    get db() {
      db ??= lazyQueryBuilder(database);
      return db;
    },
    fragments: sqliteFragments,
    rows: async <Row>(sql: string, parameters: readonly SqlValue[]) => database.all(sql, parameters) as Row[],
    run: async (sql, parameters) => database.change(sql, parameters),
    call: async <R>(target: { module: string; name: string; params: unknown }) => {
      const body = await loader.load(target.module, target.name);
      return (await body(tx, target.params)) as R;
    },
    lock: async () => {},
  };
  return tx;
}
