import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { CommitBatch, CommitFailure, CommitJob, CommitReply, CommitThreadData } from './commit-protocol.ts';
import { problemOf } from './problem.ts';

/** How many changes, and bytes of them, share a batch, and how many batches are under way: one is written, others flushed. */
const prompt = { jobs: 32, bytes: 1_048_576, batches: 4 };
const background = { jobs: 512, bytes: 8 * 1_048_576, batches: 2 };
const WAITING_MAX = 4096;

/** A change without its place in a batch. */
export type Change =
  | { readonly verb: 'write'; readonly temporary: string; readonly bytes: Buffer }
  | { readonly verb: 'rename'; readonly temporary: string }
  | { readonly verb: 'remove' };

interface Waiting {
  readonly change: Change;
  readonly target: { readonly directories: readonly string[]; readonly file: string };
  readonly resolve: (result: 'done' | 'absent') => void;
  readonly reject: (error: unknown) => void;
}

/** A thread does not inherit the cache of compiled code, and without it loads the type stripper, which is large. */
const beginThread = `require('node:module').enableCompileCache(); import(require('node:worker_threads').workerData.module);`;

/**
 * Has changes carried out by a thread of its own, in batches: what comes while the thread is at work goes with the next.
 * The thread starts with the first change.
 */
export class Committer {
  readonly #data: CommitThreadData;
  readonly #max: typeof prompt;
  #worker: Worker | null = null;
  #batches = 0;
  #lastId = 0;
  #isScheduled = false;
  readonly #waiting: Waiting[] = [];
  readonly #sent = new Map<number, Waiting>();

  constructor(data: CommitThreadData) {
    this.#data = data;
    this.#max = data.isBackground ? background : prompt;
  }

  /**
   * Resolves when the change is durable. Throws `backend` or `unavailable`, with `details.outcome: 'unknown'` where the
   * change may have happened, and `overloaded` when too many changes wait for the disk.
   */
  submit(change: Change, target: Waiting['target']): Promise<'done' | 'absent'> {
    if (this.#waiting.length >= WAITING_MAX) {
      throw new HoldfastError('overloaded', `More than ${WAITING_MAX} changes wait for ${this.#data.directory}.`);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, target, resolve, reject });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      const send = () => {
        this.#isScheduled = false;
        this.#send();
      };
      // What the same turn of the event loop asks for shares a batch.
      if (this.#data.isBackground) setImmediate(send);
      else process.nextTick(send);
    });
  }

  /** Ends the thread; changes that wait for it are refused, and the outcome of those under way is unknown. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    this.#fail('The backend was closed.');
    await worker?.terminate();
  }

  #send(): void {
    while (this.#waiting.length > 0 && this.#batches < this.#max.batches) {
      const worker = (this.#worker ??= this.#start());
      const taken = this.#take();
      const batch = this.#pack(taken);
      this.#batches++;
      worker.ref();
      worker.postMessage(batch, [batch.bytes.buffer as ArrayBuffer]);
    }
  }

  #take(): Waiting[] {
    let [count, bytes] = [0, 0];
    for (; count < Math.min(this.#waiting.length, this.#max.jobs); count++) {
      bytes += sizeOf(this.#waiting[count]!);
      if (count > 0 && bytes > this.#max.bytes) break;
    }
    return this.#waiting.splice(0, count);
  }

  /** The bytes are copied once, into a buffer that is handed over: to send a part of a buffer would send all of it. */
  #pack(taken: readonly Waiting[]): CommitBatch {
    const bytes = new Uint8Array(taken.reduce((sum, each) => sum + sizeOf(each), 0));
    let offset = 0;
    const jobs = taken.map((waiting): CommitJob => {
      const { change, target } = waiting;
      const id = ++this.#lastId;
      this.#sent.set(id, waiting);
      if (change.verb !== 'write') return { id, ...target, ...change };
      bytes.set(change.bytes, offset);
      const job = {
        id,
        ...target,
        verb: change.verb,
        temporary: change.temporary,
        offset,
        length: change.bytes.length,
      };
      offset += change.bytes.length;
      return job;
    });
    return { jobs, bytes };
  }

  #start(): Worker {
    const module = new URL('./commit-thread.ts', import.meta.url).href;
    const resourceLimits = { maxYoungGenerationSizeMb: 6 };
    const workerData = { ...this.#data, module };
    const worker = new Worker(beginThread, { eval: true, workerData, resourceLimits });
    // It keeps the process only while it works.
    worker.unref();
    worker.on('message', (replies: CommitReply[]) => {
      if (this.#worker === worker) this.#settle(replies);
    });
    worker.on('error', (error) => this.#lose(worker, error.message));
    worker.on('exit', () => this.#lose(worker, 'it ended'));
    return worker;
  }

  #settle(replies: readonly CommitReply[]): void {
    this.#batches--;
    this.#send();
    if (this.#batches === 0) this.#worker?.unref();
    for (const { id, result } of replies) {
      const waiting = this.#sent.get(id);
      this.#sent.delete(id);
      if (typeof result === 'string') waiting?.resolve(result);
      else waiting?.reject(this.#problem(result, waiting.change.verb));
    }
  }

  /** A thread that died is replaced by the next change. */
  #lose(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#fail(`The thread that changes ${this.#data.directory} failed: ${reason}.`);
  }

  #fail(sentence: string): void {
    const sent = [...this.#sent.values()];
    const waiting = this.#waiting.splice(0);
    this.#sent.clear();
    this.#batches = 0;
    for (const each of sent) each.reject(new HoldfastError('unavailable', sentence, { outcome: 'unknown' }));
    for (const each of waiting) each.reject(new HoldfastError('unavailable', sentence));
  }

  #problem({ code, message, isUnknown }: CommitFailure, verb: Change['verb']): HoldfastError {
    const { directory } = this.#data;
    if (code === 'moved') return movedAway(directory);
    const problem = problemOf(code, verb === 'remove' ? 'delete a blob' : 'take a blob', directory, new Error(message));
    if (!isUnknown) return problem;
    return new HoldfastError(problem.kind, problem.message, { ...problem.details, outcome: 'unknown' }, problem.cause);
  }
}

export function movedAway(directory: string): HoldfastError {
  const message = `The directory ${directory} does not hold the blobs any more; mount its disk again.`;
  return new HoldfastError('unavailable', message, { reason: 'moved' });
}

function sizeOf({ change }: Waiting): number {
  return change.verb === 'write' ? change.bytes.length : 0;
}
