import type { Setting, SettingsKind } from '../../kernel/backups/settings.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type Store, isStoreTrouble } from '../../kernel/store/store.ts';
import type { BackupCoding } from './backup-blob.ts';
import { type SealedSecrets, sealSecrets } from './setting-secrets.ts';

/** The format of settings; a rebuild does not take over those of a later one. */
export const settingFormat = 1;

/** That settings are told of from here on, which earlier releases did not. */
export interface SettingsLine {
  readonly t: 'settings';
}

/** A setting as it is now, in place of all that was told of it. */
export interface SettingLine {
  readonly t: 'setting';
  readonly format: number;
  readonly kind: string;
  readonly id: string;
  /** `null`: there is none any more. */
  readonly value: unknown;
  /** `null` without root keys: nothing secret goes to backends then. */
  readonly sealed: SealedSecrets | null;
}

export interface SettingsSource {
  readonly store: Store;
  readonly settings: readonly SettingsKind[];
  readonly coding: BackupCoding;
  /** Told of a setting that cannot be kept: all else is to be backed up nevertheless. */
  onError(error: unknown, about: string): void;
}

const pageSize = 200;

/** Every setting, page by page: what changes meanwhile is told again by {@link linesOfResource}. */
export async function* linesOfSettings(source: SettingsSource): AsyncGenerator<SettingsLine | SettingLine> {
  yield { t: 'settings' };
  for (const kind of source.settings) {
    let after = '';
    for (;;) {
      const ids = await source.store.read((reader) => kind.idsAfter(reader, after, pageSize));
      for (const id of ids) yield* lineOf(source, kind, id);
      if (ids.length < pageSize) break;
      after = ids.at(-1)!;
    }
  }
}

/** The settings that events of a resource may have changed. */
export async function* linesOfResource(source: SettingsSource, resource: string): AsyncGenerator<SettingLine> {
  for (const kind of source.settings) {
    const id = kind.idOf(resource);
    if (id !== null) yield* lineOf(source, kind, id);
  }
}

async function* lineOf(source: SettingsSource, { kind, read }: SettingsKind, id: string): AsyncGenerator<SettingLine> {
  const { store, coding, onError } = source;
  const line = { t: 'setting', format: settingFormat, kind, id } as const;
  let kept: Pick<SettingLine, 'value' | 'sealed'> = { value: null, sealed: null };
  try {
    const setting: Setting | null = await store.read((reader) => read(reader, id));
    const secrets = setting?.secrets ?? {};
    const isSealed = coding.isEncrypted && Object.keys(secrets).length > 0;
    const sealed = isSealed ? await sealSecrets(coding.encryption, { kind, id }, secrets) : null;
    kept = { value: setting?.value ?? null, sealed };
  } catch (error) {
    if (isStoreTrouble(error) || (error instanceof HoldfastError && error.kind === 'unavailable')) throw error;
    // What was told of it before, such as keys that were revoked since, must not count for ever.
    onError(error, `${kind} ${id} was not backed up`);
  }
  yield { ...line, ...kept };
}
