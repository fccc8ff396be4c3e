/** What the thread of changes is asked to do, and its answers. Plain data, as threads exchange it. */
export interface CommitThreadData {
  readonly directory: string;
  /** The id in the marker; without it in place, nothing is changed. */
  readonly id: string;
  /** Whether no client waits for its changes, so that more of them wait for one another. */
  readonly isBackground: boolean;
}

/** Where a blob lies, below the directory of blobs. */
interface Target {
  readonly id: number;
  readonly directories: readonly string[];
  readonly file: string;
}

/** Writes a small blob: bytes `offset` to `offset + length` of the batch's. */
export interface WriteJob extends Target {
  readonly verb: 'write';
  readonly temporary: string;
  readonly offset: number;
  readonly length: number;
}

/** Gives a blob that is written and flushed, under a temporary name, its own name. */
export interface RenameJob extends Target {
  readonly verb: 'rename';
  readonly temporary: string;
}

export interface RemoveJob extends Target {
  readonly verb: 'remove';
}

export type CommitJob = WriteJob | RenameJob | RemoveJob;

/** Jobs that share flushes, with the bytes of all writes behind one another. */
export interface CommitBatch {
  readonly jobs: readonly CommitJob[];
  readonly bytes: Uint8Array;
}

export interface CommitReply {
  readonly id: number;
  readonly result: 'done' | 'absent' | CommitFailure;
}

/** A refusal: the code of the operating system, such as `ENOSPC`, or `moved` when the marker is not in place. */
export interface CommitFailure {
  readonly code: string;
  readonly message: string;
  /** Whether the change may have happened nonetheless. */
  readonly isUnknown: boolean;
}
