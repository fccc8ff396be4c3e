import type { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { objectError } from '../errors.ts';
import { rewriteOwner } from '../object.ts';
import type { ObjectRow } from '../tables.ts';
import { type QuotaRow, bucketSubject, userSubject } from './quota.ts';

/** A change of what stands in a bucket and is owned by somebody; negative for what goes. */
export interface Charge {
  readonly bucket: string;
  readonly owner: string;
  readonly bytes: number;
  readonly objects: number;
}

/** What a version costs that is placed. A delete marker costs nothing. */
export function chargeOf(row: Pick<ObjectRow, 'bucket' | 'owner' | 'size_bytes' | 'is_marker'>): Charge {
  const { bucket, owner, size_bytes: bytes } = row;
  return row.is_marker === 1 ? { bucket, owner, bytes: 0, objects: 0 } : { bucket, owner, bytes, objects: 1 };
}

/** The same of one that goes. */
export function refundOf(row: Pick<ObjectRow, 'bucket' | 'owner' | 'size_bytes' | 'is_marker'>): Charge {
  const { bucket, owner, bytes, objects } = chargeOf(row);
  return { bucket, owner, bytes: -bytes, objects: -objects };
}

/** How many subjects one look asks for; a version that displaces another has at most as many. */
const lookSize = 4;
const limited = 'select subject from quota_books where subject in (?, ?, ?, ?)';
const book = `update quota_books set used_bytes = used_bytes + ?, used_objects = used_objects + ? where subject = ?
  returning *`;

/**
 * Books changes of what stands, in the transaction that makes them: exact with any number of processes, since the books
 * change with the rows or not at all. Throws `QuotaExceeded` when something grows beyond its limit, and nothing is left of
 * the transaction then; what shrinks always passes, also where a limit was set below what stood.
 *
 * To be called after the rows were changed: see `recount.ts`. Books are changed in one order by everybody and after all
 * other locks, so that no two transactions wait for each other in a ring.
 */
export async function chargeQuota(tx: Tx, charges: readonly Charge[]): Promise<void> {
  const changes = merge(charges);
  for (const subject of await findLimited(tx, [...changes.keys()])) {
    const { bytes, objects } = changes.get(subject)!;
    const [row] = await tx.rows<QuotaRow>(book, [bytes, objects, subject]);
    if (row === undefined) continue;
    if (bytes > 0 && row.bytes_max !== null && row.used_bytes > row.bytes_max) {
      throw quotaExceeded(subject, 'bytes', row.bytes_max, row.used_bytes - bytes);
    }
    if (objects > 0 && row.objects_max !== null && row.used_objects > row.objects_max) {
      throw quotaExceeded(subject, 'objects', row.objects_max, row.used_objects - objects);
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

function merge(charges: readonly Charge[]): Map<string, { bytes: number; objects: number }> {
  const changes = new Map<string, { bytes: number; objects: number }>();
  for (const { bucket, owner, bytes, objects } of charges) {
    // What is written anew takes the place of what is charged already.
    if (owner === rewriteOwner) continue;
    for (const subject of [bucketSubject(bucket), userSubject(owner)]) {
      const sum = changes.get(subject);
      if (sum === undefined) changes.set(subject, { bytes, objects });
      else {
        sum.bytes += bytes;
        sum.objects += objects;
      }
    }
  }
  for (const [subject, { bytes, objects }] of changes) if (bytes === 0 && objects === 0) changes.delete(subject);
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
