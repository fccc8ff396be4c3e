import type { Static } from 'typebox';
import { isoTime, isoTimeOrNull } from '../../kernel/operations/view.ts';
import type { storageMigrationContract, storageMigrationSchema } from './contract.ts';
import type { StorageMigration, StorageMigrationFailure } from './storage-migration.ts';

/** A migration as the API tells it, with its rate and what is left at that rate. */
export function migrationView(
  migration: StorageMigration,
  failures: number,
  nowMs: number,
): Static<typeof storageMigrationSchema> {
  const { movedBytes, totalBytes, createdAtMs, switchedAtMs, finishedAtMs } = migration;
  const seconds = Math.max(1, ((switchedAtMs ?? finishedAtMs ?? nowMs) - createdAtMs) / 1000);
  const rate = movedBytes / seconds;
  const isCopying = migration.state === 'copying';
  return {
    id: migration.id,
    source: migration.source,
    target: migration.target,
    state: migration.state,
    parallel: migration.parallel,
    read_back: migration.isReadBack,
    actor: migration.actor,
    total_copies: migration.totalCopies,
    total_bytes: totalBytes,
    moved_copies: migration.movedCopies,
    moved_bytes: movedBytes,
    failures,
    last_error: migration.lastError,
    bytes_per_second: Math.round(rate),
    seconds_left: isCopying && rate > 0 ? Math.ceil(Math.max(0, totalBytes - movedBytes) / rate) : null,
    created_at: isoTime(createdAtMs),
    switched_at: isoTimeOrNull(switchedAtMs),
    finished_at: isoTimeOrNull(finishedAtMs),
  };
}

export function failureView(
  failure: StorageMigrationFailure,
): Static<typeof storageMigrationContract.migrationFailures.reply>['items'][number] {
  return {
    content: failure.contentId,
    part: failure.part,
    attempts: failure.attempts,
    error: failure.error,
    failed_at: isoTime(failure.failedAtMs),
    due_at: isoTime(failure.dueAtMs),
  };
}
