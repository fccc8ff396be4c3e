import type { SettingsKind } from '../../kernel/backups/settings.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';
import { type RebuildReport, tell } from './report.ts';
import { type SettingLine, settingFormat } from './setting-lines.ts';
import { openSecrets } from './setting-secrets.ts';

export interface EnterSettings {
  readonly store: Store;
  readonly encryption: ObjectEncryption;
  readonly settings: readonly SettingsKind[];
  readonly clock: Clock;
  readonly report: RebuildReport;
  readonly isDryRun: boolean;
  readonly signal: AbortSignal;
}

const pageSize = 100;
const ofKind = 'select id, told from rebuild_settings where kind = ? and id > ? order by id limit ?';

/**
 * Enters the settings that the backup tells of, kind by kind, each whole or not at all. One that cannot be entered is told and
 * left out; what is in the ledger already stays.
 */
export async function enterSettings(options: EnterSettings): Promise<void> {
  const { store, settings, signal } = options;
  for (const kind of settings) {
    let after = '';
    for (;;) {
      const given = [kind.kind, after, pageSize];
      const rows = await store.read((reader) => reader.rows<{ id: string; told: string }>(ofKind, given));
      for (const { told } of rows) {
        signal.throwIfAborted();
        await enterSetting(options, kind, JSON.parse(told) as SettingLine);
      }
      if (rows.length < pageSize) break;
      after = rows.at(-1)!.id;
    }
  }
}

async function enterSetting(options: EnterSettings, kind: SettingsKind, line: SettingLine): Promise<void> {
  const { store, encryption, clock, report, isDryRun } = options;
  const { id, value, sealed } = line;
  const named = `${kind.kind} ${id}`;
  try {
    if (line.format !== settingFormat) {
      tell(report, 'setting', `${named} was backed up by a later release, and is left out.`);
      return;
    }
    const secrets = sealed === null ? {} : await openSecrets(encryption, { kind: kind.kind, id }, sealed);
    const how = { isDryRun, nowMs: clock.nowMs() };
    const { counts, notes } = await kind.restore(store, { id, value, secrets }, how);
    for (const [name, count] of Object.entries(counts)) report.settings[name] = (report.settings[name] ?? 0) + count;
    for (const note of notes) tell(report, 'setting', note);
  } catch (error) {
    if (error instanceof HoldfastError && error.kind === 'unavailable') throw error;
    // Other messages may quote what they are about.
    const reason = error instanceof HoldfastError ? error.message : 'it cannot be read.';
    tell(report, 'setting', `${named} is left out: ${reason}`);
  }
}
