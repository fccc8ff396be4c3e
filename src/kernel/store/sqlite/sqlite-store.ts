import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { HoldfastError, fromErrorData, toErrorData } from '../../errors/errors.ts';
import { LocalTopics } from '../topics.ts';
import type { GapWatch, Reader, SqlValue, Store } from '../store.ts';
import type { Transaction } from '../transaction.ts';
import type { WriteReply, WriteRequest } from './batch-writer.ts';
import { SqliteDatabase } from './database.ts';
import { sqliteFragments } from './fragments.ts';
import { lazyQueryBuilder } from './lazy-query-builder.ts';
import { sqliteError } from './errors.ts';

interface Waiting {
  readonly deadlineAt: number;
  resolve(value: never): void;
  reject(error: unknown): void;
}

const deadlineSweepMs = 500;

/** A thread does not inherit the cache of compiled code, and without it loads the type stripper, which is large. */
const beginThread = `require('node:module').enableCompileCache(); import(require('node:worker_threads').workerData.module);`;

/** The embedded store: writes go to the thread that owns the connection, reads run here on a read-only one. */
export class SqliteStore implements Store {
  readonly exclusive = true;
  readonly description: string;
  readonly #path: string;
  readonly #worker: Worker;
  readonly #reading: SqliteDatabase;
  readonly #reader: Reader;
  readonly #topics = new LocalTopics();
  readonly #waiting = new Map<number, Waiting>();
  readonly #timeoutMs: number;
  readonly #sweep: NodeJS.Timeout;
  readonly #onClose: () => void;
  #queue: WriteRequest[] = [];
  #lastId = 0;
  #commits = 0;
  #failure: HoldfastError | null = null;

  private constructor(path: string, worker: Worker, options: { timeoutMs: number; onClose: () => void }) {
    this.#path = path;
    this.description = `SQLite at ${path}`;
    this.#worker = worker;
    this.#timeoutMs = options.timeoutMs;
    this.#onClose = options.onClose;
    this.#reading = new SqliteDatabase(path, { readOnly: true });
    this.#reader = {
      db: lazyQueryBuilder(this.#reading),
      fragments: sqliteFragments,
      rows: async <Row>(sql: string, parameters: readonly SqlValue[]) => this.#reading.all(sql, parameters) as Row[],
    };
    worker.on('message', (replies: WriteReply[]) => this.#settle(replies));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the writer thread ended')));
    this.#sweep = setInterval(() => this.#expire(), deadlineSweepMs).unref();
  }

  /**
   * Opens the migrated database at `path`. `timeoutMs` bounds each write; `onClose` runs when the store has closed.
   */
  static async open(path: string, options: { timeoutMs: number; onClose?: () => void }): Promise<SqliteStore> {
    // The thread keeps little between transactions; V8's default would let its young generation grow to 48 MiB.
    const resourceLimits = { maxYoungGenerationSizeMb: 6 };
    const module = new URL('./writer-thread.ts', import.meta.url).href;
    const worker = new Worker(beginThread, { eval: true, workerData: { path, module }, resourceLimits });
    await once(worker, 'message');
    return new SqliteStore(path, worker, { timeoutMs: options.timeoutMs, onClose: options.onClose ?? (() => {}) });
  }

  get commits(): number {
    return this.#commits;
  }

  write<P, R>(target: Transaction<P, R>, params: P): Promise<R> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const id = ++this.#lastId;
    return new Promise<R>((resolve, reject) => {
      this.#waiting.set(id, { deadlineAt: performance.now() + this.#timeoutMs, resolve, reject });
      // One message carries all writes of this turn; they will share a commit.
      if (this.#queue.length === 0) process.nextTick(() => this.#flush());
      this.#queue.push({ id, module: target.module, name: target.name, params });
    });
  }

  async read<R>(query: (reader: Reader) => Promise<R>): Promise<R> {
    try {
      return await query(this.#reader);
    } catch (error) {
      throw sqliteError(error, this.#path);
    }
  }

  publish(topic: string, payload: string): void {
    this.#topics.publish(topic, payload);
  }

  subscribe(topic: string, listener: (payload: string) => void): () => void {
    return this.#topics.subscribe(topic, listener);
  }

  async gapsAreFinal(): Promise<{ final: boolean; watch: GapWatch }> {
    return { final: true, watch: { horizon: '' } };
  }

  async health(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    await this.read((reader) => reader.rows('select 1', []));
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    if (this.#failure === null) {
      const ended = once(this.#worker, 'exit');
      this.#flush();
      this.#worker.postMessage('close');
      await ended;
    }
    this.#reading.close();
    this.#onClose();
  }

  #flush(): void {
    if (this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    try {
      this.#worker.postMessage(queue);
    } catch {
      // One of them holds what cannot be sent to a thread; the others must not suffer from it.
      for (const request of queue) this.#sendAlone(request);
    }
  }

  #sendAlone(request: WriteRequest): void {
    try {
      this.#worker.postMessage([request]);
    } catch (error) {
      this.#settle([{ id: request.id, ok: false, error: toErrorData(error) }]);
    }
  }

  #settle(replies: readonly WriteReply[]): void {
    this.#commits++;
    for (const reply of replies) {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.ok) waiting?.resolve(reply.value as never);
      else waiting?.reject(fromErrorData(reply.error));
    }
  }

  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#failure ??= new HoldfastError(
      'unavailable',
      `The store is unavailable: ${message}.`,
      { outcome: 'unknown' },
      error,
    );
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }

  #expire(): void {
    const now = performance.now();
    for (const [id, waiting] of this.#waiting) {
      if (waiting.deadlineAt > now) break; // ids grow with time, and so do deadlines
      this.#waiting.delete(id);
      const message = `The store did not answer within ${this.#timeoutMs} ms; whether the change was made is unknown.`;
      waiting.reject(new HoldfastError('unavailable', message, { outcome: 'unknown' }));
    }
  }
}
