/**
 * `copying`: every copy on the source gets a twin on the target, while reads and writes go on; nothing new is written to the
 * source. `cleaning`: switched; the copies on the source are let go. `cancelling`: the twins on the target are let go.
 * `completed`, `cancelled`: as they say.
 */
export const storageMigrationStates = ['copying', 'cleaning', 'completed', 'cancelling', 'cancelled'] as const;
export type StorageMigrationState = (typeof storageMigrationStates)[number];

/** A move of everything that stands on one backend to another; there is one at a time. */
export interface StorageMigration {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly state: StorageMigrationState;
  /** How many copies are carried at once. */
  readonly parallel: number;
  /** Whether each copy is read back from the target before it counts. */
  readonly isReadBack: boolean;
  readonly actor: string;
  /** What stood on the source when it began. */
  readonly totalCopies: number;
  readonly totalBytes: number;
  readonly movedCopies: number;
  readonly movedBytes: number;
  readonly lastError: string | null;
  readonly createdAtMs: number;
  readonly switchedAtMs: number | null;
  readonly finishedAtMs: number | null;
}

/** A copy that could not be carried yet. */
export interface StorageMigrationFailure {
  readonly contentId: string;
  readonly part: number;
  readonly attempts: number;
  readonly error: string;
  readonly dueAtMs: number;
  readonly failedAtMs: number;
}

/** Of the source while it is left: nothing new is admitted, and the replicator lets it be. */
export const migratingState = 'migrating';
