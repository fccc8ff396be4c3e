import type { Store } from '../../kernel/store/store.ts';
import { quotaExceeded } from './charge.ts';
import type { QuotaPicture } from './picture.ts';
import { type QuotaBook, type QuotaRow, bucketSubject, toBook, userSubject } from './quota.ts';

/** What somebody is about to write. */
export interface RoomWish {
  readonly bucket: string;
  readonly owner: string;
  readonly sizeBytes: number;
  readonly objects: 0 | 1;
  /** What it will take the place of, looked up only when it matters. */
  displaced(): Promise<{ readonly owner: string; readonly sizeBytes: number } | null>;
}

/**
 * Refuses what a quota has no room for before its bytes are sent in vain. Only the commit decides: what passes here may
 * be refused there. Throws `QuotaExceeded`.
 */
export async function requireRoom(store: Store, picture: QuotaPicture, wish: RoomWish): Promise<void> {
  for (const subject of [bucketSubject(wish.bucket), userSubject(wish.owner)]) {
    const book = await picture.fresh(subject);
    if (book === null || missing(book, wish, 0, 0) === null) continue;
    // Something may have been deleted since the picture was taken, and what is overwritten makes room.
    const [row] = await store.read((reader) =>
      reader.rows<QuotaRow>('select * from quota_books where subject = ?', [subject]),
    );
    if (row === undefined) continue;
    const displaced = await wish.displaced();
    const isOurs = displaced !== null && (subject.startsWith('bucket:') || displaced.owner === wish.owner);
    const now = toBook(row);
    const meter = missing(now, wish, isOurs ? displaced.sizeBytes : 0, isOurs ? wish.objects : 0);
    if (meter === null) continue;
    throw meter === 'bytes'
      ? quotaExceeded(subject, meter, now.limits.bytes!, now.usedBytes)
      : quotaExceeded(subject, meter, now.limits.objects!, now.usedObjects);
  }
}

/** What there is not enough of. */
function missing(
  { limits, usedBytes, usedObjects }: QuotaBook,
  { sizeBytes, objects }: RoomWish,
  freedBytes: number,
  freedObjects: number,
): 'bytes' | 'objects' | null {
  const moreBytes = sizeBytes - freedBytes;
  if (limits.bytes !== null && moreBytes > 0 && usedBytes + moreBytes > limits.bytes) return 'bytes';
  const moreObjects = objects - freedObjects;
  return limits.objects !== null && moreObjects > 0 && usedObjects + moreObjects > limits.objects ? 'objects' : null;
}
