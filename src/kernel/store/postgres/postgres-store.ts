import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { GapWatch, Reader, Store, Tx } from '../store.ts';
import { type Transaction, TransactionLoader } from '../transaction.ts';
import { PostgresConnection, StatementNames } from './connection.ts';
import { postgresFragments } from './dialect.ts';
import { closedError, contentionError, isRetryable, postgresError } from './errors.ts';
import { PostgresTopics } from './topics.ts';

const poolSizeMax = 16;
const attemptsMax = 8;

export interface PostgresOptions {
  readonly url: string;
  /** Bounds connecting, and each statement. */
  readonly timeoutMs: number;
  /** Told of connection losses that no caller sees. */
  onError?(error: Error): void;
}

/** The store for several replicas. */
export class PostgresStore implements Store {
  readonly exclusive = false;
  readonly commits = null;
  readonly description: string;
  readonly #pool: pg.Pool;
  readonly #loader = new TransactionLoader();
  readonly #names = new StatementNames();
  readonly #transactions = new WeakMap<pg.PoolClient, Tx>();
  readonly #reader: Reader;
  readonly #topics: PostgresTopics;
  readonly #writing = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: PostgresOptions) {
    this.description = describe(options.url);
    this.#pool = createPool(options);
    const reading = new PostgresConnection(this.#pool as unknown as pg.ClientBase, this.#names);
    this.#reader = {
      db: reading.db,
      fragments: postgresFragments,
      rows: (statement, parameters) => reading.rows(statement, parameters),
    };
    this.#topics = new PostgresTopics(clientConfig(options), this.#pool, options.onError ?? (() => {}));
  }

  async write<P, R>(target: Transaction<P, R>, params: P): Promise<R> {
    const underWay = this.#writeRepeatedly(target, params);
    this.#writing.add(underWay);
    try {
      return await underWay;
    } finally {
      this.#writing.delete(underWay);
    }
  }

  async read<R>(query: (reader: Reader) => Promise<R>): Promise<R> {
    if (this.#isClosed) throw closedError();
    try {
      return await query(this.#reader);
    } catch (error) {
      throw postgresError(error, 'none');
    }
  }

  publish(topic: string, payload: string): void {
    this.#topics.publish(topic, payload);
  }

  subscribe(topic: string, listener: (payload: string) => void): () => void {
    return this.#topics.subscribe(topic, listener);
  }

  async gapsAreFinal(since: GapWatch | null): Promise<{ final: boolean; watch: GapWatch }> {
    // A number of our own is higher than that of everybody who was in flight; the end of the server's snapshot is not:
    // it counts from the newest that ended, and who began after that one and still runs would be passed over.
    const statement =
      since === null
        ? `select pg_current_xact_id()::text as id`
        : `select pg_snapshot_xmin(pg_current_snapshot())::text as id`;
    const [row] = await this.read((reader) => reader.rows<{ id: string }>(statement, []));
    if (since === null) return { final: false, watch: { horizon: row!.id } };
    // Once all of those ended, nobody can fill the gap.
    return { final: BigInt(row!.id) >= BigInt(since.horizon), watch: since };
  }

  async health(): Promise<void> {
    await this.read((reader) => reader.rows('select 1', []));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // The pool forgets those who wait for a connection when it ends.
    await Promise.allSettled(this.#writing);
    await this.#topics.close();
    await this.#pool.end();
  }

  async #writeRepeatedly<P, R>(target: Transaction<P, R>, params: P): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      if (this.#isClosed && attempt === 1) throw closedError();
      try {
        return await this.#writeOnce(target, params);
      } catch (error) {
        if (!isRetryable(error)) throw error;
        if (attempt >= attemptsMax) throw contentionError(error);
        await delay(Math.random() * 2 ** attempt);
      }
    }
  }

  async #writeOnce<P, R>(target: Transaction<P, R>, params: P): Promise<R> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw postgresError(error, 'none');
    }
    const isSingle = target.isSingle(params);
    let isCommitting = isSingle;
    let broken: Error | undefined;
    const onError = (error: Error) => (broken = error); // without a listener a lost connection would end the process
    client.on('error', onError);
    try {
      if (isSingle) return await target.body(this.#txOn(client), params);
      await client.query('begin');
      const result = await target.body(this.#txOn(client), params);
      isCommitting = true;
      const { command } = await client.query('commit');
      // To a transaction that met an error the server answers a commit with a rollback, and without an error.
      if (command === 'ROLLBACK') throw new Error(`${target.name} hid a failed statement; nothing of it was kept`);
      return result;
    } catch (error) {
      if (!isCommitting) await client.query('rollback').catch((failure: Error) => (broken = failure));
      if (isRetryable(error)) throw error;
      const mapped = postgresError(error, isCommitting ? 'unknown' : 'none');
      if (mapped !== error) broken ??= error as Error;
      throw mapped;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  #txOn(client: pg.PoolClient): Tx {
    const known = this.#transactions.get(client);
    if (known !== undefined) return known;
    const connection = new PostgresConnection(client, this.#names);
    const tx: Tx = {
      db: connection.db,
      fragments: postgresFragments,
      rows: (statement, parameters) => connection.rows(statement, parameters),
      run: (statement, parameters) => connection.change(statement, parameters),
      call: async <R>(target: { module: string; name: string; params: unknown }) => {
        const body = await this.#loader.load(target.module, target.name);
        return (await body(tx, target.params)) as R;
      },
      lock: async (name) => {
        await connection.rows('select pg_advisory_xact_lock(hashtextextended(?, 0))', [name]);
      },
    };
    this.#transactions.set(client, tx);
    return tx;
  }
}

function createPool(options: PostgresOptions): pg.Pool {
  const pool = new pg.Pool({ ...clientConfig(options), max: poolSizeMax, idleTimeoutMillis: 30_000 });
  pool.on('error', (error) => options.onError?.(error));
  // For the moment between the pool's listener and that of the borrower: a greeting and the server's last words may come
  // in one packet, and an error that nobody listens to would end the process. The next statement meets it again.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** 64-bit integers arrive as numbers: ids, counters and times stay far below 2^53, and sizes are kept as text. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
};

function clientConfig({ url, timeoutMs }: PostgresOptions): pg.ClientConfig {
  return {
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    lock_timeout: timeoutMs,
    idle_in_transaction_session_timeout: timeoutMs * 2,
    query_timeout: timeoutMs * 2,
    keepAlive: true,
    application_name: 'holdfast',
    types: types as pg.CustomTypesConfig,
  };
}

function describe(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `PostgreSQL at ${hostname}${port === '' ? '' : `:${port}`}${pathname}`;
  } catch {
    return 'PostgreSQL';
  }
}
