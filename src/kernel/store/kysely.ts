import {
  CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  Kysely,
  type QueryCompiler,
  type QueryResult,
  type DatabaseIntrospector,
} from 'kysely';

/** Runs one statement on a connection whose transactions are somebody else's business. */
export interface StatementExecutor {
  execute(sql: string, parameters: readonly unknown[]): Promise<{ rows: unknown[]; changes: number }>;
}

/** What an engine gives to Kysely; see `sqlite/dialect.ts` and `postgres/dialect.ts`. */
export interface EngineDialect {
  /** Begins a transaction that will write. */
  readonly begin: string;
  createQueryCompiler(): QueryCompiler;
  createAdapter(): DialectAdapter;
  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector;
}

/** A query builder bound to one connection. It neither begins nor ends transactions unless a migration asks for it. */
export function kyselyOn<Tables>(engine: EngineDialect, executor: StatementExecutor): Kysely<Tables> {
  const connection = new ExecutorConnection(executor);
  return new Kysely<Tables>({
    dialect: {
      createDriver: () => new ExecutorDriver(connection, engine.begin),
      createQueryCompiler: () => engine.createQueryCompiler(),
      createAdapter: () => engine.createAdapter(),
      createIntrospector: (db: Kysely<unknown>) => engine.createIntrospector(db),
    },
  });
}

class ExecutorConnection implements DatabaseConnection {
  readonly #executor: StatementExecutor;

  constructor(executor: StatementExecutor) {
    this.#executor = executor;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#executor.execute(query.sql, query.parameters);
    return { rows: rows as R[], numAffectedRows: BigInt(changes) };
  }

  // oxlint-disable-next-line require-yield -- the interface wants a generator, and pages are bounded instead of streamed
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('this store reads bounded pages, it does not stream');
  }
}

class ExecutorDriver implements Driver {
  readonly #connection: ExecutorConnection;
  readonly #begin: string;

  constructor(connection: ExecutorConnection, begin: string) {
    this.#connection = connection;
    this.#begin = begin;
  }

  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(this.#begin));
  }
  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'));
  }
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}
