import { transaction } from '../../kernel/store/transaction.ts';
import type { Conditions } from '../conditions.ts';
import { type WrittenPart, enterCopies } from './copies.ts';
import type { WriteEnd } from './intents.ts';
import { type NewVersion, placeVersion } from './place-version.ts';

export interface CommitObject {
  readonly version: NewVersion & { readonly contentId: string };
  readonly written: WrittenPart;
  readonly write: WriteEnd;
  readonly copiesWanted: number;
  readonly conditions: Conditions;
}

/**
 * The one commit of a write: the version, its copies, the end of its intents, the deletion of what it displaced and the
 * event, together or not at all. What was written is acknowledged after it and not before. Gives the version's id; all else
 * of the version is what was asked for.
 */
export const commitObject = transaction(
  import.meta.url,
  'commitObject',
  async (tx, { version, written, write, copiesWanted, conditions }: CommitObject): Promise<string> => {
    const placed = await placeVersion(tx, version, conditions);
    await enterCopies(tx, written, write, { bucket: version.bucket, copiesWanted, nowMs: version.nowMs });
    return placed.versionId;
  },
);
