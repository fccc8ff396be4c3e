import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { BlobFacts, BlobPage, ListPage } from '../backend.ts';
import {
  type KeyDirectory,
  bytesOfText,
  directoryOfPrefix,
  meaningOfName,
  pathOfKey,
  textOfBytes,
} from './key-path.ts';

/** What a directory of a real system holds. */
export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
  /** `null` where the system does not tell. */
  readonly sizeBytes: number | null;
  readonly modifiedAtMs: number;
}

/** Reads a directory, in any order. One that is not there has no entries. */
export type ReadDirectory = (path: readonly string[], signal: AbortSignal) => AsyncIterable<DirectoryEntry>;

interface Scope {
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
  readonly read: ReadDirectory;
  readonly signal: AbortSignal;
}

interface Candidate {
  readonly entry: DirectoryEntry;
  readonly isBlob: boolean;
  /** The key, or what all keys below begin with. */
  readonly bytes: string;
}

/**
 * One page of keys in byte order from a tree of directories whose systems list in no order. Of each directory only the
 * smallest names that the page may need are kept, so that memory is bound by the page and not by the directory.
 */
export async function listTree(read: ReadDirectory, page: ListPage, signal: AbortSignal): Promise<BlobPage> {
  const prefix = bytesOfText(page.prefix);
  const scope: Scope = { prefix, after: bytesOfText(page.after ?? ''), limit: page.limit, read, signal };
  const blobs: BlobFacts[] = [];
  for await (const blob of walk(directoryOfPrefix(prefix), scope)) {
    if (blobs.length === page.limit) return { blobs, isTruncated: true };
    blobs.push(blob);
  }
  return { blobs, isTruncated: false };
}

async function* walk(directory: KeyDirectory, scope: Scope): AsyncGenerator<BlobFacts> {
  for (let floor = ''; ;) {
    const { candidates, isAll } = await smallestOf(directory, floor, scope);
    for (const candidate of candidates) {
      const path = [...directory.path, candidate.entry.name];
      if (!candidate.isBlob) yield* walk({ path, bytes: candidate.bytes }, scope);
      else yield factsOf(candidate);
    }
    const last = candidates.at(-1);
    if (isAll || last === undefined) return;
    floor = last.bytes;
  }
}

/** The first entries of a directory above `floor` that may hold wanted keys, in order. */
async function smallestOf(
  directory: KeyDirectory,
  floor: string,
  scope: Scope,
): Promise<{ candidates: Candidate[]; isAll: boolean }> {
  const kept: Candidate[] = [];
  const max = scope.limit + 1;
  let isAll = true;
  const trim = (): void => {
    kept.sort((a, b) => (a.bytes < b.bytes ? -1 : 1));
    if (kept.length > max) isAll = false;
    kept.length = Math.min(kept.length, max);
  };
  for await (const entry of scope.read(directory.path, scope.signal)) {
    const meaning = meaningOfName(entry.name);
    if (meaning === null || meaning.isBlob === entry.isDirectory) continue;
    const candidate = { entry, isBlob: meaning.isBlob, bytes: directory.bytes + meaning.bytes };
    if (candidate.bytes <= floor || !isWanted(candidate, scope)) continue;
    if (!isOurs(candidate, [...directory.path, entry.name])) continue;
    kept.push(candidate);
    if (kept.length >= 2 * max) trim();
  }
  trim();
  return { candidates: kept, isAll };
}

function isWanted({ isBlob, bytes }: Candidate, { prefix, after }: Scope): boolean {
  if (isBlob) return bytes.startsWith(prefix) && bytes > after;
  const mayHavePrefix = bytes.startsWith(prefix) || prefix.startsWith(bytes);
  return mayHavePrefix && (bytes > after || after.startsWith(bytes));
}

/** A stranger's name may only look like one of ours: those that no key leads to are passed over. */
function isOurs({ isBlob, bytes }: Candidate, path: readonly string[]): boolean {
  const ours = isBlob ? pathOfKey(textOfBytes(bytes)) : directoryOfPrefix(bytes).path;
  return ours.join('/') === path.join('/');
}

function factsOf({ entry, bytes }: Candidate): BlobFacts {
  if (entry.sizeBytes === null) {
    throw new HoldfastError('backend', `The backend does not tell the size of ${entry.name} in a listing.`);
  }
  return { key: textOfBytes(bytes), sizeBytes: entry.sizeBytes, modifiedAtMs: entry.modifiedAtMs };
}
