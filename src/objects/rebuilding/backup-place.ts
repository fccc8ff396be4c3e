import type { BlobFacts, ObjectBackend } from '../backends/backend.ts';
import { ownPrefix } from '../encryption/key-blobs.ts';

/**
 * Where backups of the ledger stand on every backend: a folder a generation, and in it numbered blobs that are read in order.
 * Those up to the one that ends in `.whole` give all that there was, those after it what changed since.
 */
export const backupPrefix = `${ownPrefix}ledger/`;
const callTimeoutMs = 60_000;
const pageSize = 1_000;
/** More than so many blobs of backups are not one of ours. */
const pagesMax = 10_000;
const form = /^([^/]+)\/(\d{8})(\.whole)?$/;

/** A blob of a backup by what its name says. */
export interface BackupBlob {
  readonly storageKey: string;
  readonly generation: string;
  readonly number: number;
  /** Whether it is the last one of those that give all there was. */
  readonly isWhole: boolean;
}

export function backupKey(generation: string, number: number, isWhole: boolean): string {
  return `${backupPrefix}${generation}/${String(number).padStart(8, '0')}${isWhole ? '.whole' : ''}`;
}

export function backupLimits(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
}

/** All blobs of backups on a backend, in order. */
export async function* listBackups(backend: ObjectBackend, signal: AbortSignal): AsyncGenerator<BackupBlob> {
  for await (const { key: storageKey } of listBelow(backend, backupPrefix, signal)) {
    const [, generation, digits, mark] = form.exec(storageKey.slice(backupPrefix.length)) ?? [];
    if (generation === undefined) continue;
    yield { storageKey, generation, number: Number(digits), isWhole: mark !== undefined };
  }
}

/** What stands on a backend below a prefix, in byte order, page by page. */
export async function* listBelow(
  backend: ObjectBackend,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<BlobFacts> {
  let after: string | undefined;
  for (let count = 0; count < pagesMax || prefix === ''; count++) {
    const wish = { prefix, limit: pageSize, ...(after === undefined ? {} : { after }) };
    const page = await backend.list(wish, backupLimits(signal));
    yield* page.blobs;
    if (!page.isTruncated || page.blobs.length === 0) return;
    after = page.blobs.at(-1)!.key;
  }
}
