import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { KnownBackend } from '../backends/registry.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';
import { findBackup, linesOf } from './backup-reader.ts';
import { type RebuildReport, tell } from './report.ts';
import { clearStage, stageLines } from './stage.ts';

export interface StageBackup {
  readonly store: Store;
  readonly encryption: ObjectEncryption;
  readonly report: RebuildReport;
  readonly places: readonly KnownBackend[];
  /**
   * Whether there are root keys: then a backup that they prove goes before any other, however new that is, and settings count
   * from such a one alone.
   */
  readonly hasRootKeys: boolean;
  readonly signal: AbortSignal;
}

const linesAtOnce = 500;
const generationsMax = 100;

/**
 * Gathers the newest backup that can be read whole. Of one whose later blobs cannot be read, what was before them counts:
 * up to when it tells everything is in the report.
 */
export async function stageBackup(options: StageBackup): Promise<void> {
  const { store, encryption, report, places, hasRootKeys, signal } = options;
  const passed = new Set<string>();
  let isProofWanted = hasRootKeys;
  while (passed.size < generationsMax) {
    const found = await findBackup(places, signal, passed);
    if (found === null && isProofWanted) {
      isProofWanted = false;
      passed.clear();
      continue;
    }
    if (found === null) {
      tell(report, 'backup', 'There is no backup of the ledger: only what blobs say of themselves is known.');
      return;
    }
    const { generation, blobs } = found;
    await store.write(clearStage, {});
    let isWhole = false;
    let asOfMs: number | null = null;
    const settings = { isTold: false, isRefused: false };
    for (const copies of blobs) {
      const read = await linesOf(copies, encryption, signal);
      if (read === null) {
        tell(report, 'backup', `${copies[0]!.blob.storageKey} of the backup cannot be read on any backend.`);
        break;
      }
      // A backup is encrypted from its first blob to its last, or not at all.
      if (isProofWanted && !read.isProven) {
        tell(report, 'backup', `${copies[0]!.blob.storageKey} of the backup is not encrypted under the root keys.`);
        break;
      }
      const isTrusted = read.isProven || !hasRootKeys;
      const lines = isTrusted ? read.lines : read.lines.filter(({ t }) => t !== 'setting');
      settings.isRefused ||= lines.length < read.lines.length;
      settings.isTold ||= lines.some(({ t }) => t === 'settings');
      for (let at = 0; at < lines.length; at += linesAtOnce) {
        await store.write(stageLines, lines.slice(at, at + linesAtOnce));
      }
      for (const line of lines) if (line.t === 'as-of') asOfMs = line.atMs;
      isWhole ||= read.isWhole;
    }
    if (isWhole) {
      report.backup = { generation, asOfMs };
      for (const note of notesOn(settings)) tell(report, 'setting', note);
      return;
    }
    passed.add(generation);
  }
  throw new HoldfastError('backend', 'None of many backups of the ledger can be read.');
}

function notesOn({ isTold, isRefused }: { readonly isTold: boolean; readonly isRefused: boolean }): string[] {
  const earlier =
    'The backup tells of no users, keys, quotas and targets of notifications, as those of earlier releases do.';
  const refused =
    'Users, keys, quotas and targets of notifications are not taken over: the backup tells them without encryption, and with ' +
    'root keys nothing counts that anybody could have written.';
  return [...(isTold ? [] : [earlier]), ...(isRefused ? [refused] : [])];
}
