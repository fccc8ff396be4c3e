import type pg from 'pg';
import type { Kysely } from 'kysely';
import { type StatementExecutor, kyselyOn } from '../kysely.ts';
import type { SqlValue } from '../store.ts';
import type { KernelTables } from '../tables.ts';
import { postgresDialect } from './dialect.ts';

interface Named {
  readonly name: string;
  readonly text: string;
}

/** Turns `?` parameters into `$1…` and names each statement, so that the server plans it once a connection. */
export class StatementNames {
  readonly #known = new Map<string, Named>();

  of(statement: string): Named {
    const known = this.#known.get(statement);
    if (known !== undefined) return known;
    let position = 0;
    const named = { name: `s${this.#known.size}`, text: statement.replace(/\?/g, () => `$${++position}`) };
    this.#known.set(statement, named);
    return named;
  }
}

/** One PostgreSQL connection (or the pool, for reads) in the store's terms. */
export class PostgresConnection implements StatementExecutor {
  readonly db: Kysely<KernelTables>;
  readonly #client: Pick<pg.ClientBase, 'query'>;
  readonly #names: StatementNames;

  constructor(client: Pick<pg.ClientBase, 'query'>, names: StatementNames) {
    this.#client = client;
    this.#names = names;
    this.db = kyselyOn<KernelTables>(postgresDialect, this);
  }

  async rows<Row>(statement: string, values: readonly SqlValue[]): Promise<Row[]> {
    const result = await this.#client.query({ ...this.#names.of(statement), values: [...values] });
    return result.rows as Row[];
  }

  async change(statement: string, values: readonly SqlValue[]): Promise<number> {
    const result = await this.#client.query({ ...this.#names.of(statement), values: [...values] });
    return result.rowCount ?? 0;
  }

  async execute(sql: string, parameters: readonly unknown[]): Promise<{ rows: unknown[]; changes: number }> {
    const result = await this.#client.query(sql, [...parameters]);
    return { rows: result.rows as unknown[], changes: result.rowCount ?? 0 };
  }
}
