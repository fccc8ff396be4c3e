import type { Kysely } from 'kysely';
import { HoldfastError } from '../errors/errors.ts';
import type { KernelTables } from './tables.ts';
import type { Call, Transaction } from './transaction.ts';

/** What a statement parameter may be. Booleans are 0 and 1, times are integers of milliseconds, documents are JSON text. */
export type SqlValue = string | number | bigint | null;

/** Fragments of SQL that differ between engines; all else is one text for both. */
export interface SqlFragments {
  /** The database's own clock, as integer milliseconds since 1970. Leases compare with this one only. */
  readonly nowMs: string;
  /** Ends a `select` whose rows this transaction will change. */
  readonly forUpdate: string;
  /** Like `forUpdate`, passing over rows that another transaction holds. */
  readonly forUpdateSkipLocked: string;
}

/** Reads the store. Each statement sees what was committed before it began. */
export interface Reader {
  /** The query builder, for domain queries. */
  readonly db: Kysely<KernelTables>;
  readonly fragments: SqlFragments;
  /** Runs one constant statement with `?` parameters; for hot paths, since it is prepared once and kept. */
  rows<Row>(statement: string, parameters: readonly SqlValue[]): Promise<Row[]>;
}

/** A transaction in progress. */
export interface Tx extends Reader {
  /** Like `rows`, for statements that return none; gives the number of rows changed. */
  run(statement: string, parameters: readonly SqlValue[]): Promise<number>;
  /** Runs another named transaction's body inside this one. */
  call<R>(call: Call<R>): Promise<R>;
  /** Excludes other transactions that lock the same name until this one ends. Take it before any row lock. */
  lock(name: string): Promise<void>;
}

/**
 * The store. Two engines implement it and pass `store.conformance.ts`.
 *
 * Errors: what a transaction throws rejects its `write` and leaves nothing behind. An engine that cannot be reached, is
 * full or does not answer in time rejects with kind `unavailable` and details `{outcome: 'unknown' | 'none'}`.
 */
export interface Store {
  /** Whether this process is the only one that may own operations (an embedded store, locked for life). */
  readonly exclusive: boolean;
  /**
   * Grows with each commit before its writer hears of it, so that what was read since the last one is still exact.
   * `null` where other processes write too.
   */
  readonly commits: number | null;
  /** For people: the kind of engine and where it is, without secrets. */
  readonly description: string;

  /** Runs a named transaction and resolves when it is durable. */
  write<P, R>(transaction: Transaction<P, R>, params: P): Promise<R>;
  /** Runs queries. They are not one snapshot: one statement is. */
  read<R>(query: (reader: Reader) => Promise<R>): Promise<R>;

  /** Tells every process on this store, this one included, that something changed. Best effort: readers also poll. */
  publish(topic: string, payload: string): void;
  /** Hears what is published; the returned function ends it. */
  subscribe(topic: string, listener: (payload: string) => void): () => void;

  /**
   * The highest event id below which no transaction can still insert, given ids with gaps: see `events/follower.ts`.
   * An embedded store has one writer and answers that every gap is final.
   */
  gapsAreFinal(since: GapWatch | null): Promise<{ final: boolean; watch: GapWatch }>;

  health(): Promise<void>;
  close(): Promise<void>;
}

/** Whether the store itself failed, and not the domain in one of its transactions with words of its own. */
export function isStoreTrouble(error: unknown): boolean {
  return error instanceof HoldfastError && error.kind === 'unavailable' && 'outcome' in error.details;
}

/** What was in flight when a gap in the event ids was first seen. */
export interface GapWatch {
  readonly horizon: string;
}
