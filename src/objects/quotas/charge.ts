import type { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { objectError } from '../errors.ts';
import { rewriteOwner } from '../object.ts';
import type { ObjectRow } from '../tables.ts';
import { type QuotaRow, bucketSubject, userSubject } from './quota.ts';

/** A change of what stands under a key and is owned by somebody; negative for what goes. */
export interface Charge {
  readonly bucket: string;
  /** Of the version, or of the upload whose parts these are. */
  readonly key: string;
  readonly owner: string;
  readonly bytes: number;
  readonly objects: number;
}

type Chargeable = Pick<ObjectRow, 'bucket' | 'object_key' | 'owner' | 'size_bytes' | 'is_marker'>;

/** What a version costs that is placed. A delete marker costs nothing. */
export function chargeOf(row: Chargeable): Charge {
  const { bucket, object_key: key, owner, size_bytes: bytes } = row;
  return row.is_marker === 1 ? { bucket, key, owner, bytes: 0, objects: 0 } : { bucket, key, owner, bytes, objects: 1 };
}

/** The same of one that goes. */
export function refundOf(row: Chargeable): Charge {
  const { bytes, objects, ...rest } = chargeOf(row);
  return { ...rest, bytes: -bytes, objects: -objects };
}

/** How many subjects one look asks for; a version that displaces another has at most as many. */
const lookSize = 4;
const limited = 'select subject from quota_books where subject in (?, ?, ?, ?)';
/** What was counted anew of the books up to a key gets the change too, when it is of a key up to there: see `count-page.ts`. */
const isCounted = '(counting_bucket, counting_key) >= (?, ?)';
const book = `update quota_books set used_bytes = used_bytes + ?, used_objects = used_objects + ?,
  counting_bytes = case when ${isCounted} then counting_bytes + ? else counting_bytes end,
  counting_objects = case when ${isCounted} then counting_objects + ? else counting_objects end
  where subject = ? returning *`;

/**
 * Books changes of what stands, in the transaction that makes them: exact with any number of processes, since the books
 * change with the rows or not at all. Throws `QuotaExceeded` when something grows beyond its limit, and nothing is left of
 * the transaction then; what shrinks always passes, also where a limit was set below what stood.
 *
 * To be called after the rows were changed: see `count-page.ts`. Books are changed in one order by everybody and after all
 * other locks, so that no two transactions wait for each other in a ring.
 */
export async function chargeQuota(tx: Tx, charges: readonly Charge[]): Promise<void> {
  const changes = merge(charges);
  for (const subject of await findLimited(tx, [...changes.keys()])) {
    let row: QuotaRow | undefined;
    let [grownBytes, grownObjects] = [0, 0];
    for (const { bucket, key, bytes, objects } of changes.get(subject)!.values()) {
      const values = [bytes, objects, bucket, key, bytes, bucket, key, objects, subject];
      [row] = await tx.rows<QuotaRow>(book, values);
      grownBytes += bytes;
      grownObjects += objects;
    }
    if (row === undefined) continue;
    if (grownBytes > 0 && row.bytes_max !== null && row.used_bytes > row.bytes_max) {
      throw quotaExceeded(subject, 'bytes', row.bytes_max, row.used_bytes - grownBytes);
    }
    if (grownObjects > 0 && row.objects_max !== null && row.used_objects > row.objects_max) {
      throw quotaExceeded(subject, 'objects', row.objects_max, row.used_objects - grownObjects);
    }
  }
}

/** What a change beyond a limit is refused with: 403, which clients do not try again. */
export function quotaExceeded(
  subject: string,
  meter: 'bytes' | 'objects',
  maximum: number,
  used: number,
): HoldfastError {
  const [kind, name] = subject.split(':', 2);
  const whose = kind === 'bucket' ? `the bucket ${name}` : 'the user';
  const sentence = `The quota of ${whose} is ${maximum} ${meter}, and ${used} are used.`;
  return objectError('QuotaExceeded', { quota: subject, meter, maximum, used }, sentence);
}

type Change = Omit<Charge, 'owner'>;

/** What changes for each subject, by keys. */
function merge(charges: readonly Charge[]): Map<string, Map<string, Change>> {
  const changes = new Map<string, Map<string, Change>>();
  for (const { owner, ...change } of charges) {
    // What is written anew takes the place of what is charged already.
    if (owner === rewriteOwner) continue;
    for (const subject of [bucketSubject(change.bucket), userSubject(owner)]) {
      const ofSubject = changes.get(subject) ?? new Map<string, Change>();
      const place = `${change.bucket}/${change.key}`;
      const { bytes, objects } = ofSubject.get(place) ?? { bytes: 0, objects: 0 };
      ofSubject.set(place, { ...change, bytes: bytes + change.bytes, objects: objects + change.objects });
      changes.set(subject, ofSubject);
    }
  }
  for (const [subject, places] of changes) {
    for (const [place, { bytes, objects }] of places) if (bytes === 0 && objects === 0) places.delete(place);
    if (places.size === 0) changes.delete(subject);
  }
  return changes;
}

/** Those of the subjects that have books, in order. */
async function findLimited(tx: Tx, subjects: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (let first = 0; first < subjects.length; first += lookSize) {
    const few = subjects.slice(first, first + lookSize);
    // One statement for any number of them, since it is prepared once.
    const values = Array.from({ length: lookSize }, (_, index) => few[index] ?? few[0]!);
    for (const { subject } of await tx.rows<{ subject: string }>(limited, values)) found.push(subject);
  }
  return found.sort();
}
