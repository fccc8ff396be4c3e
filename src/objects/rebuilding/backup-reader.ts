import type { KnownBackend } from '../backends/registry.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';
import { readBackup } from './backup-blob.ts';
import { type BackupLine, parseLines } from './backup-lines.ts';
import { type BackupBlob, listBackups } from './backup-place.ts';

/** A backup that can be read: each blob with the backends that have it. */
export interface FoundBackup {
  readonly generation: string;
  readonly blobs: readonly FoundBlob[];
}

type FoundBlob = BackupBlob & { readonly backends: readonly KnownBackend[] };

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
      const same = generation.get(blob.number);
      generation.set(blob.number, { ...blob, backends: [...(same?.backends ?? []), known] });
    }
  }
  for (const generation of [...found.keys()].sort().toReversed()) {
    if (passed.has(generation)) continue;
    const blobs = unbroken(found.get(generation)!);
    if (blobs.some(({ isWhole }) => isWhole)) return { generation, blobs };
  }
  return null;
}

function unbroken(blobs: ReadonlyMap<number, FoundBlob>): FoundBlob[] {
  const row: FoundBlob[] = [];
  for (let number = 1; blobs.has(number); number++) row.push(blobs.get(number)!);
  return row;
}

/** What a blob tells, and whether it is proven by a key of ours. */
export interface ToldLines {
  readonly lines: readonly BackupLine[];
  readonly isProven: boolean;
}

/** The lines of a blob from the first backend that has it as it was written; `null` when none has. */
export async function linesOf(
  blob: FoundBlob,
  encryption: ObjectEncryption,
  signal: AbortSignal,
): Promise<ToldLines | null> {
  for (const { backend } of blob.backends) {
    try {
      const read = await readBackup(backend, blob, encryption, signal);
      if (read !== null) return { lines: [...parseLines(read.own)], isProven: read.isProven };
    } catch {
      signal.throwIfAborted();
    }
  }
  return null;
}
