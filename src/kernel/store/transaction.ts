import type { Tx } from './store.ts';

/**
 * A named transaction: a function of (tx, params) that reads, decides and writes. It is named by its module and export,
 * so that it can be sent by name to the thread that owns the database; `params` and the result are therefore plain data.
 */
export interface Transaction<P, R> {
  readonly module: string;
  readonly name: string;
  readonly body: (tx: Tx, params: P) => Promise<R>;
  /** Whether, with these parameters, the body is one statement, which needs no transaction around it. */
  readonly isSingle: (params: P) => boolean;
}

/** A transaction with its parameters: data that can be kept, sent and run inside another transaction. */
export interface Call<R = unknown> {
  readonly module: string;
  readonly name: string;
  readonly params: unknown;
  /** Only carries the result's type. */
  readonly result?: R;
}

/**
 * Defines a named transaction. `name` must be the name under which `module` (its `import.meta.url`) exports it;
 * `rules/transactions.test.ts` checks that.
 */
export function transaction<P, R>(
  module: string,
  name: string,
  body: (tx: Tx, params: P) => Promise<R>,
  isSingle: (params: P) => boolean = () => false,
): Transaction<P, R> {
  return Object.freeze({ module, name, body, isSingle });
}

/** A transaction and its parameters as data, for a commit that happens later or elsewhere. */
export function call<P, R>(target: Transaction<P, R>, params: P): Call<R> {
  return { module: target.module, name: target.name, params };
}

/** Finds the body of a transaction by name, importing its module once. */
export class TransactionLoader {
  readonly #bodies = new Map<string, Transaction<unknown, unknown>['body']>();

  async load(module: string, name: string): Promise<Transaction<unknown, unknown>['body']> {
    const key = `${module}#${name}`;
    const known = this.#bodies.get(key);
    if (known !== undefined) return known;
    const exports = (await import(module)) as Record<string, unknown>;
    const found = exports[name] as Partial<Transaction<unknown, unknown>> | undefined;
    if (typeof found?.body !== 'function') throw new Error(`no transaction named ${name} is exported by ${module}`);
    this.#bodies.set(key, found.body);
    return found.body;
  }
}
