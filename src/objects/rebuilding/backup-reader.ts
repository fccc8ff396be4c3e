import type { KnownBackend } from '../backends/registry.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';
import { readBackup } from './backup-blob.ts';
import { type BackupLine, parseLines } from './backup-lines.ts';
import { type BackupBlob, listBackups } from './backup-place.ts';

/** A backup that can be read: each blob with where it stands. */
export interface FoundBackup {
  readonly generation: string;
  readonly blobs: readonly FoundBlob[];
}

/** The copies of a blob, under the name that each has. */
type FoundBlob = readonly { readonly known: KnownBackend; readonly blob: BackupBlob }[];

/** The newest backup that is whole, taken together from all backends; `null` when there is none. */
export async function findBackup(
  backends: readonly KnownBackend[],
  signal: AbortSignal,
  passed: ReadonlySet<string> = new Set(),
): Promise<FoundBackup | null> {
  const found = new Map<string, Map<number, FoundBlob>>();
  for (const known of backends) {
    for await (const blob of listBackups(known.backend, signal)) {
      const generation = found.get(blob.generation) ?? new Map<number, FoundBlob>();
      found.set(blob.generation, generation);
      generation.set(blob.number, [...(generation.get(blob.number) ?? []), { known, blob }]);
    }
  }
  for (const generation of [...found.keys()].sort().toReversed()) {
    if (passed.has(generation)) continue;
    const blobs = unbroken(found.get(generation)!);
    if (blobs.some((copies) => copies.some(({ blob }) => blob.isWhole))) return { generation, blobs };
  }
  return null;
}

function unbroken(blobs: ReadonlyMap<number, FoundBlob>): FoundBlob[] {
  const row: FoundBlob[] = [];
  for (let number = 1; blobs.has(number); number++) row.push(blobs.get(number)!);
  return row;
}

/** What a blob tells, whether it is proven by a key of ours, and whether all there was is told up to here. */
export interface ToldLines {
  readonly lines: readonly BackupLine[];
  readonly isProven: boolean;
  readonly isWhole: boolean;
}

/**
 * The lines of a blob: of a copy that is proven, or else of the first that is as it was written; `null` when none is. What one
 * backend has must not hide what the others have.
 */
export async function linesOf(
  copies: FoundBlob,
  encryption: ObjectEncryption,
  signal: AbortSignal,
): Promise<ToldLines | null> {
  let unproven: ToldLines | null = null;
  for (const { known, blob } of copies) {
    try {
      const read = await readBackup(known.backend, blob, encryption, signal);
      if (read === null) continue;
      const told = { lines: [...parseLines(read.own)], isProven: read.isProven, isWhole: blob.isWhole };
      if (told.isProven) return told;
      unproven ??= told;
    } catch {
      signal.throwIfAborted();
    }
  }
  return unproven;
}
