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
import type { CommitBatch, CommitFailure, CommitJob, CommitReply } from './commit-protocol.ts';
import { DurableDirectories } from './durable-directories.ts';
import type { Layout } from './layout.ts';
import { errnoOf } from './problem.ts';
import { type WholeFlush, WholeFlushes, wholeFlushFilesMin } from './sync-file-system.ts';

/** Another process may remove a directory, as empty, between its making and the rename into it; never so often. */
const RENAME_TRIES = 100;

/** Where a job stands. */
interface Task {
  readonly job: CommitJob;
  fd: number | null;
  /** The directory whose entries the job has changed. */
  changed: readonly string[] | null;
  result: CommitReply['result'];
}

/**
 * Carries out batches of changes: temporary file, write, flush of the data, rename, flush of the directory.
 *
 * The calls that the page cache answers are made at once, in this thread; they cost a tenth of what the thread pool
 * adds. Those that wait for the disk go through the pool together, so that the file system's journal commits them as one.
 * From some files on, one flush of the whole file system takes the place of a flush of each, where that is as good.
 */
export class CommitWork {
  readonly #layout: Layout;
  readonly #id: string;
  readonly #directories: DurableDirectories;
  /** Device and inode of the marker that was seen to have the id. */
  #markerSeen = '';
  #batches = 0;
  readonly #wholeFlushes: WholeFlushes;

  constructor(layout: Layout, id: string, wholeFlushes = new WholeFlushes()) {
    this.#layout = layout;
    this.#id = id;
    this.#directories = new DurableDirectories(layout);
    this.#wholeFlushes = wholeFlushes;
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
    const isMany = jobs.filter(({ verb }) => verb === 'write').length >= wholeFlushFilesMin;
    const moved = this.#whyMoved();
    if (moved !== null) return tasks.map(({ job }) => ({ id: job.id, result: moved }));
    const whole = isMany ? await this.#wholeFlushes.begin(this.#layout.temporary) : null;
    for (const task of tasks) {
      attempt(task, () => this.#write(task, bytes));
      if (whole !== null) close(task);
    }
    if (whole !== null) await flushWhole(whole, tasks);
    else await Promise.all(tasks.map((task) => this.#flushData(task)));
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

  async #flushData(task: Task): Promise<void> {
    const { fd } = task;
    if (fd === null) return;
    try {
      if (typeof task.result !== 'string') return;
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

/** A close that fails says that something was not written; it does not keep the others from being closed. */
function close(task: Task): void {
  const { fd } = task;
  if (fd === null) return;
  task.fd = null;
  attempt(task, () => closeSync(fd));
}

/** What the file system cannot flush may be any of the files, so none of them is good. */
async function flushWhole(whole: WholeFlush, tasks: readonly Task[]): Promise<void> {
  try {
    await whole.end();
  } catch (error) {
    for (const task of tasks) {
      if (task.job.verb === 'write' && typeof task.result === 'string') task.result = failure(error, false);
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
