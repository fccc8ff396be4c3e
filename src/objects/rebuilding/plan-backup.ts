import type { KeeperPlan } from '../../kernel/keepers/keeper.ts';
import { toErrorData } from '../../kernel/errors/errors.ts';
import { CostSheet } from '../keepers/cost-sheet.ts';
import type { EncodedBackup } from './backup-writer.ts';
import { loadBackupMemory } from './backup-memory.ts';
import { formerBackups } from './former-backups.ts';
import { missingBackups } from './spread-backup.ts';
import { type BackupKeeperOptions, canGoOn, requireOwn, writeChanges, writeWhole } from './write-backup.ts';

/** So many blobs of lines, of some thousands each, are made for a plan. */
const blobsMax = 50;

/** There is more than is looked at for a plan. */
class Enough extends Error {}

/** What would be written and removed: the lines are made as a run makes them, and nothing of them is written. */
export async function planBackup(options: BackupKeeperOptions, signal: AbortSignal): Promise<KeeperPlan> {
  const { store, registry, newId, onError } = options;
  const sheet = new CostSheet();
  const active = registry.all.filter(({ state }) => state === 'active');
  const memory = await loadBackupMemory(store);
  const isGoingOn = canGoOn(memory, options);
  let blobs = 0;
  const deliver = async ({ number, bytes }: EncodedBackup) => {
    for (const { name } of active) {
      // What an attempt that was cut off may have left is deleted first.
      sheet.add(name, { requests: 2, ingressBytes: bytes.length });
      sheet.step('write', `blob ${number} of ${isGoingOn ? 'the' : 'a new'} backup on ${name}`, bytes.length);
    }
    if (++blobs === blobsMax) throw new Enough();
  };
  let isExact = true;
  try {
    await requireOwn(options, signal);
    if (isGoingOn) await writeChanges({ ...options, deliver }, memory.reached, signal);
    else await writeWhole({ ...options, deliver }, newId('led'), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Enough)) {
      sheet.warn(toErrorData(error).message);
      return sheet.plan(() => 'The ledger cannot be backed up.', true);
    }
    isExact = false;
  }
  if (isGoingOn) {
    const missing = await missingBackups(registry, memory.reached.generation, signal, onError);
    for (const { storageKey, from, to } of missing) {
      sheet.add(from.name, { requests: 1 });
      sheet.add(to.name, { requests: 2 });
      sheet.step('carry', `${storageKey} from ${from.name} to ${to.name}`, 0);
    }
  } else {
    for (const { name, backend } of registry.all) await addFormer(name, backend, memory.own, sheet, signal);
  }
  const what = isGoingOn ? 'of what changed' : 'of all there is';
  return sheet.plan((count) => `${count} blobs ${what} would be written, carried or removed.`, isExact);
}

async function addFormer(
  name: string,
  backend: Parameters<typeof formerBackups>[0],
  own: readonly string[],
  sheet: CostSheet,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (const { storageKey } of (await formerBackups(backend, { former: own, generation: null }, signal)).old) {
      sheet.add(name, { requests: 1 });
      sheet.step('delete', `${storageKey} on ${name}`, 0);
    }
  } catch (error) {
    signal.throwIfAborted();
    sheet.warn(`${name} could not be looked at: ${toErrorData(error).message}`);
  }
}
