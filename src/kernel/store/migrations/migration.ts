import type { Kysely } from 'kysely';

/** What a migration may say of columns without naming an engine. */
export interface ColumnTypes {
  /** Text compared byte by byte, so that keys sort alike on every engine. */
  readonly key: string;
  /** A 64-bit integer. */
  readonly integer: string;
  /** A 64-bit integer primary key that the store counts up and never gives out twice. */
  readonly counter: string;
}

/** One step of the schema, with its way back. Names sort in the order of application. */
export interface Migration {
  readonly name: string;
  up(db: Kysely<unknown>, types: ColumnTypes): Promise<void>;
  down(db: Kysely<unknown>, types: ColumnTypes): Promise<void>;
}
