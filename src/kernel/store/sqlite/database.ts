import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { StatementExecutor } from '../kysely.ts';
import type { SqlValue } from '../store.ts';
import { sqliteError } from './errors.ts';

const statementsKeptMax = 500;
const busyTimeoutMs = 5_000;

/**
 * One SQLite connection with its prepared statements.
 *
 * `synchronous=FULL` in WAL mode makes a commit durable before it returns, also through a loss of power
 * (https://www.sqlite.org/pragma.html#pragma_synchronous).
 */
export class SqliteDatabase implements StatementExecutor {
  readonly handle: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #returnsRows = new WeakMap<StatementSync, boolean>();

  constructor(path: string, options: { readonly readOnly?: boolean } = {}) {
    try {
      this.handle = new DatabaseSync(path, {
        readOnly: options.readOnly ?? false,
        timeout: busyTimeoutMs,
        enableForeignKeyConstraints: true,
      });
      if (options.readOnly !== true) {
        enterWal(this.handle);
        this.handle.exec('pragma synchronous=full; pragma wal_autocheckpoint=4000;');
      }
      this.handle.exec('pragma cache_size=-16000; pragma temp_store=memory;');
    } catch (error) {
      throw sqliteError(error, path);
    }
  }

  /** Rows of one statement; prepared once and kept. */
  all(sql: string, parameters: readonly SqlValue[]): unknown[] {
    return this.#statement(sql).all(...parameters);
  }

  /** The number of rows that one statement changed. */
  change(sql: string, parameters: readonly SqlValue[]): number {
    return Number(this.#statement(sql).run(...parameters).changes);
  }

  async execute(sql: string, parameters: readonly unknown[]): Promise<{ rows: unknown[]; changes: number }> {
    const statement = this.#statement(sql);
    const values = parameters as readonly SqlValue[];
    if (this.#isReader(statement)) return { rows: statement.all(...values), changes: 0 };
    return { rows: [], changes: Number(statement.run(...values).changes) };
  }

  close(): void {
    this.#statements.clear();
    this.handle.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const prepared = this.handle.prepare(sql);
    // Texts are few in number by design; the bound is for a list filter that multiplies them.
    if (this.#statements.size >= statementsKeptMax) this.#statements.clear();
    this.#statements.set(sql, prepared);
    return prepared;
  }

  #isReader(statement: StatementSync): boolean {
    const known = this.#returnsRows.get(statement);
    if (known !== undefined) return known;
    const isReader = statement.columns().length > 0;
    this.#returnsRows.set(statement, isReader);
    return isReader;
  }
}

const busyCode = 5;
const walTriesMax = 100;
const walWaitMs = 20;

/** Two processes that change a new file to WAL at once: SQLite refuses one of them without waiting for the other. */
function enterWal(handle: DatabaseSync): void {
  for (let tries = 1; ; tries++) {
    try {
      handle.exec('pragma journal_mode=wal');
      return;
    } catch (error) {
      const { errcode } = error as { readonly errcode?: number };
      if (errcode === undefined || (errcode & 0xff) !== busyCode || tries === walTriesMax) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, walWaitMs);
    }
  }
}
