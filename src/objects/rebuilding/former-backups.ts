import type { ObjectBackend } from '../backends/backend.ts';
import { type BackupBlob, listBackups } from './backup-place.ts';

/** Blobs of former backups on a backend, and whether a later one stands there whole. */
export async function formerBackups(
  backend: ObjectBackend,
  { former, generation }: { readonly former: readonly string[]; readonly generation: string | null },
  signal: AbortSignal,
): Promise<{ readonly old: readonly BackupBlob[]; readonly isStanding: boolean }> {
  const old: BackupBlob[] = [];
  let isStanding = false;
  for await (const blob of listBackups(backend, signal)) {
    if (blob.generation === generation) isStanding ||= blob.isWhole;
    else if (former.includes(blob.generation)) old.push(blob);
  }
  return { old, isStanding };
}
