import type { Reader, Store } from '../store/store.ts';

/** Something that an operator has set, as it is carried to where the store is not. */
export interface Setting {
  readonly id: string;
  /** JSON, and nothing in it that nobody may see. */
  readonly value: unknown;
  /** What nobody may see, by name, plain: it is sealed before it goes anywhere. Names that are missing were not kept. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** What became of a setting. */
export interface RestoredSetting {
  /** How many of each thing were entered, by names in the plural. */
  readonly counts: Readonly<Record<string, number>>;
  /** What somebody has to see to, in sentences without secrets. */
  readonly notes: readonly string[];
}

/** A kind of settings that a feature has backed up: it is asked for all of them, and for what an event says has changed. */
export interface SettingsKind {
  /** In lower case; no two features have the same. */
  readonly kind: string;
  /** The id of the setting that events of a resource may have changed; `null` when it is about something else. */
  idOf(resource: string): string | null;
  /** Ids after one, in order. */
  idsAfter(reader: Reader, after: string, limit: number): Promise<readonly string[]>;
  /** A setting as it is now; `null` when there is none. */
  read(reader: Reader, id: string): Promise<Setting | null>;
  /**
   * Enters what is not there, in one transaction; what is there stays as it is, so that this may be done again. A dry run tells
   * the same and enters nothing. A value that is not what `read` gives is told, and not entered.
   */
  restore(store: Store, setting: Setting, how: RestoreHow): Promise<RestoredSetting>;
}

export interface RestoreHow {
  readonly isDryRun: boolean;
  readonly nowMs: number;
}

/** A setting that was not entered, and why. */
export function leftOut(note: string): RestoredSetting {
  return { counts: {}, notes: [note] };
}
