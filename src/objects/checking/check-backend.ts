import { toCopy } from '../rows.ts';
import type { CopyRow } from '../tables.ts';
import { checkCopy } from './check-copy.ts';
import { type ComparedBackend, compare, isCopy, stillMissing, stillUnknown } from './compare.ts';
import type { Finding } from './report.ts';

export interface CheckBackendOptions extends ComparedBackend {
  /** Whether the bytes themselves are read and compared. */
  readonly isDeep: boolean;
}

export interface BackendFindings {
  readonly blobs: number;
  readonly findings: Finding[];
}

/** Compares a backend's listing with what the ledger says stands there. What differs is looked at once more. */
export async function checkBackend(options: CheckBackendOptions): Promise<BackendFindings> {
  const { name, isDeep } = options;
  const findings: Finding[] = [];
  let blobs = 0;
  for await (const one of compare(options)) {
    if (one.kind === 'probe') continue;
    if (one.kind !== 'missing') blobs++;
    if (one.kind === 'unknown') findings.push(...(await checkUnknown(options, one.key)));
    else if (one.kind === 'missing') findings.push(...(await checkMissing(options, one.copy)));
    else if (one.blob.sizeBytes !== one.copy.stored_bytes) findings.push(wrongSize(name, one.copy));
    else if (isDeep) findings.push(...(await checkBytes(options, one.copy)));
  }
  return { blobs, findings };
}

async function checkUnknown(options: CheckBackendOptions, key: string): Promise<Finding[]> {
  const facts = await stillUnknown(options, key);
  if (facts === null) return [];
  return [{ kind: 'orphan', detail: `${key} on ${options.name} (${facts.sizeBytes} bytes) belongs to nothing.` }];
}

async function checkMissing(options: CheckBackendOptions, copy: CopyRow): Promise<Finding[]> {
  if (!(await stillMissing(options, copy))) return [];
  const detail = `${copy.storage_key} of content ${copy.content_id} is not on ${options.name}.`;
  return [{ kind: 'missing_copy', detail }];
}

function wrongSize(name: string, copy: CopyRow): Finding {
  return { kind: 'wrong_size', detail: `${copy.storage_key} on ${name} is not ${copy.stored_bytes} bytes long.` };
}

/** Reads a blob and compares it. What cannot be read is not called damaged. */
async function checkBytes({ store, name, backend, signal }: CheckBackendOptions, copy: CopyRow): Promise<Finding[]> {
  const found = await checkCopy(backend, toCopy(copy), { signal });
  if (found.verdict === 'good') return [];
  const { storage_key: key } = copy;
  if (found.verdict === 'unreadable') {
    return [{ kind: 'unreachable', detail: `${key} on ${name} could not be read: ${found.reason}` }];
  }
  // It may have been deleted since it was listed.
  if (!(await store.read((reader) => isCopy(reader, name, key)))) return [];
  return [{ kind: 'damaged_copy', detail: `${key} on ${name} is damaged: ${found.reason}.` }];
}
