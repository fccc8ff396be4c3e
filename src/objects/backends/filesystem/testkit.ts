import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectBackend } from '../backend.ts';
import { filesystemKind } from './kind.ts';

const CALL_TIMEOUT_MS = 20_000;

export function openFilesystem(path: string, config: Readonly<Record<string, string>> = {}): ObjectBackend {
  return filesystemKind.open({ config: { path, ...config }, secrets: {} });
}

export function inTime(): AbortSignal {
  return AbortSignal.timeout(CALL_TIMEOUT_MS);
}

export function putBytes(backend: ObjectBackend, key: string, bytes: Buffer, signal = inTime()): Promise<void> {
  return backend.put(key, bytes, { sizeBytes: bytes.length, signal });
}

/** The paths of all blobs' files, below the directory of blobs. */
export async function blobFiles(path: string): Promise<string[]> {
  const entries = await readdir(join(path, 'blobs'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Names of files in the making. */
export function temporaryFiles(path: string): Promise<string[]> {
  return readdir(join(path, 'tmp'));
}
