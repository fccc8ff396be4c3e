import {
  closeSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { syncFileData } from './calls.ts';
import type { CommitBatch, CommitFailure, CommitJob, CommitReply, CommitThreadData } from './commit-protocol.ts';
import { DurableDirectories } from './durable-directories.ts';
import type { BeginFlush } from './file-system-flush.ts';
import { Layout } from './layout.ts';
import { errnoOf } from './problem.ts';

/** Another process may remove a directory, as empty, between its making and the rename into it; never so often. */
const RENAME_TRIES = 100;
/** From so many files on, the flush of the whole file system is cheaper than theirs. */
const togetherMin = 32;
/** A flush that takes longer has others' bytes to wait for: for a while each file is flushed by itself again. */
const flushMsMax = 2_000;
const apartMs = 60_000;

/** Where a job stands. */
interface Task {
  readonly job: CommitJob;
  fd: number | null;
  /** The directory whose entries the job has changed. */
  changed: readonly string[] | null;
  result: CommitReply['result'];
}

/**
 * Carries out batches of changes: temporary file, write, flush of the data, rename, flush of the directory. What no client
 * waits for has its data flushed with all else that is on the file system, while that is quick.
 *
 * The calls that the page cache answers are made at once, in this thread; they cost a tenth of what the thread pool
 * adds. Those that wait for the disk go through the pool together, so that the file system's journal commits them as one.
 */
export class CommitWork {
  readonly #layout: Layout;
  readonly #id: string;
  readonly #directories: DurableDirectories;
  readonly #isBackground: boolean;
  /** Not loaded before the first large batch. */
  #flush: Promise<BeginFlush> | null = null;
  #apartUntilMs = Number.NEGATIVE_INFINITY;
  /** Device and inode of the marker that was seen to have the id. */
  #markerSeen = '';
  #batches = 0;

  constructor({ directory, id, isBackground }: CommitThreadData) {
    this.#layout = new Layout(directory);
    this.#id = id;
    this.#isBackground = isBackground;
    // Another thread removes directories.
    this.#directories = new DurableDirectories(this.#layout, { remembers: !isBackground });
  }

  async run(batch: CommitBatch): Promise<CommitReply[]> {
    this.#batches++;
    // What comes while a single job blocks this thread shares the next batch.
    this.#directories.isAlone = this.#batches === 1 && batch.jobs.length === 1;
    try {
      return await this.#run(batch);
    } finally {
      this.#batches--;
    }
  }

  async #run({ jobs, bytes }: CommitBatch): Promise<CommitReply[]> {
    const tasks = jobs.map((job): Task => ({ job, fd: null, changed: null, result: 'done' }));
    const moved = this.#whyMoved();
    if (moved !== null) return tasks.map(({ job }) => ({ id: job.id, result: moved }));
    await this.#writeAll(tasks, bytes);
    for (const task of tasks) attempt(task, () => this.#change(task));
    await Promise.all(tasks.map((task) => this.#flushDirectory(task)));
    for (const task of tasks) this.#clear(task);
    return tasks.map(({ job, result }) => ({ id: job.id, result }));
  }

  #write(task: Task, bytes: Uint8Array): void {
    const { job } = task;
    if (job.verb !== 'write') return;
    task.fd = openSync(this.#temporary(job), 'wx');
    for (let done = 0; done < job.length;) done += writeSync(task.fd, bytes, job.offset + done, job.length - done);
  }

  /** Writes the data of all and has it on the disk. */
  async #writeAll(tasks: readonly Task[], bytes: Uint8Array): Promise<void> {
    const flush = await this.#beginFlush(tasks);
    for (const task of tasks) attempt(task, () => this.#write(task, bytes));
    const beganAtMs = performance.now();
    // Where it failed, each file tells whether it was its own data.
    const isFlushed = flush !== null && (await flush());
    const endedAtMs = performance.now();
    if (flush !== null && endedAtMs - beganAtMs > flushMsMax) this.#apartUntilMs = endedAtMs + apartMs;
    await Promise.all(tasks.map((task) => this.#flushData(task, isFlushed)));
  }

  /** What flushes all that is written from now on, where that is cheaper. */
  async #beginFlush(tasks: readonly Task[]): Promise<(() => Promise<boolean>) | null> {
    if (!this.#isBackground || performance.now() < this.#apartUntilMs) return null;
    if (tasks.filter(({ job }) => job.verb === 'write').length < togetherMin) return null;
    // Where native calls cannot be made, each file is flushed by itself.
    this.#flush ??= import('./file-system-flush.ts')
      .then(({ fileSystemFlush }) => fileSystemFlush())
      .catch(() => () => null);
    return (await this.#flush)(this.#layout.temporary);
  }

  async #flushData(task: Task, isFlushed: boolean): Promise<void> {
    const { fd } = task;
    if (fd === null) return;
    try {
      if (typeof task.result !== 'string' || isFlushed) return;
      if (this.#directories.isAlone) fdatasyncSync(fd);
      else await syncFileData(fd);
    } catch (error) {
      task.result = failure(error, false);
    } finally {
      closeSync(fd);
    }
  }

  #change(task: Task): void {
    const { job } = task;
    if (job.verb === 'remove') {
      task.changed = this.#remove(job.directories, job.file);
      if (task.changed === null) task.result = 'absent';
    } else {
      this.#rename(this.#temporary(job), job.directories, job.file);
      task.changed = job.directories;
    }
  }

  #rename(temporary: string, directories: readonly string[], file: string): void {
    const target = this.#layout.blob({ directories, file });
    for (let tries = 1; ; tries++) {
      try {
        if (tries > 1) this.#directories.make(directories);
        return renameSync(temporary, target);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' || tries === RENAME_TRIES) throw error;
        // Another process may have removed what was empty, at any depth.
        this.#directories.forgetAll(directories);
      }
    }
  }

  /** Removes a file and the directories that it leaves empty. Gives the last directory that had an entry less. */
  #remove(directories: readonly string[], file: string): readonly string[] | null {
    try {
      unlinkSync(this.#layout.blob({ directories, file }));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    }
    let left = directories;
    while (left.length > 0 && this.#removeIfEmpty(this.#layout.blobDirectory(left))) left = left.slice(0, -1);
    return left;
  }

  #removeIfEmpty(path: string): boolean {
    try {
      rmdirSync(path);
      this.#directories.forget(path);
      return true;
    } catch {
      // It holds other blobs, or another process has removed it: nothing depends on an empty directory.
      return false;
    }
  }

  async #flushDirectory(task: Task): Promise<void> {
    if (task.changed === null) return;
    try {
      if (task.job.verb === 'remove') await this.#directories.commitRemoval(task.changed);
      else await this.#directories.commit(task.changed);
    } catch (error) {
      // A directory that a delete has emptied may be removed by the next: then the entry is gone with it.
      if (task.job.verb === 'remove' && errnoOf(error) === 'ENOENT') return;
      task.result = failure(error, true);
    }
  }

  /** Removes the temporary file of a put that failed. */
  #clear({ job, result }: Task): void {
    if (job.verb === 'remove' || typeof result === 'string') return;
    try {
      unlinkSync(this.#temporary(job));
    } catch {
      // It has its own name already, or the sweep will find it.
    }
  }

  #temporary(job: { temporary: string }): string {
    return `${this.#layout.temporary}/${job.temporary}`;
  }

  /** Looks whether this is still the directory that it was: a disk may be unmounted, and another one mounted. */
  #whyMoved(): CommitFailure | null {
    const { marker } = this.#layout;
    try {
      const { dev, ino } = statSync(marker);
      const seen = `${dev} ${ino}`;
      if (seen === this.#markerSeen) return null;
      const id = readFileSync(marker, 'utf8').trim();
      if (id !== this.#id) return { code: 'moved', message: `${marker} has the id ${id}`, isUnknown: false };
      this.#markerSeen = seen;
      this.#directories.clear();
      return null;
    } catch (error) {
      return errnoOf(error) === 'ENOENT' ? { ...failure(error, false), code: 'moved' } : failure(error, false);
    }
  }
}

function attempt(task: Task, work: () => void): void {
  if (typeof task.result !== 'string') return;
  try {
    work();
  } catch (error) {
    task.result = failure(error, false);
  }
}

function failure(error: unknown, isUnknown: boolean): CommitFailure {
  const message = error instanceof Error ? error.message : String(error);
  return { code: errnoOf(error) ?? 'UNKNOWN', message, isUnknown };
}
