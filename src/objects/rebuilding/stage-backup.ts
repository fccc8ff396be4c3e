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
  readonly signal: AbortSignal;
}

const linesAtOnce = 500;
const generationsMax = 100;

/**
 * Gathers the newest backup that can be read whole. Of one whose later blobs cannot be read, what was before them counts:
 * up to when it tells everything is in the report.
 */
export async function stageBackup({ store, encryption, report, places, signal }: StageBackup): Promise<void> {
  const passed = new Set<string>();
  while (passed.size < generationsMax) {
    const found = await findBackup(places, signal, passed);
    if (found === null) {
      tell(report, 'backup', 'There is no backup of the ledger: only what blobs say of themselves is known.');
      return;
    }
    const { generation, blobs } = found;
    await store.write(clearStage, {});
    let isWhole = false;
    let asOfMs: number | null = null;
    for (const blob of blobs) {
      const lines = await linesOf(blob, encryption, signal);
      if (lines === null) {
        tell(report, 'backup', `${blob.storageKey} of the backup cannot be read on any backend.`);
        break;
      }
      for (let at = 0; at < lines.length; at += linesAtOnce) {
        await store.write(stageLines, lines.slice(at, at + linesAtOnce));
      }
      for (const line of lines) if (line.t === 'as-of') asOfMs = line.atMs;
      isWhole ||= blob.isWhole;
    }
    if (isWhole) {
      report.backup = { generation, asOfMs };
      return;
    }
    passed.add(generation);
  }
  throw new HoldfastError('backend', 'None of many backups of the ledger can be read.');
}
