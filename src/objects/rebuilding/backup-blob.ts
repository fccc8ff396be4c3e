import type { ObjectBackend } from '../backends/backend.ts';
import { chunksOf } from '../content/content.ts';
import { planReading } from '../content/decode-body.ts';
import { decodeDescription, encodeDescription, openDescription } from '../content/description.ts';
import { encodeBuffer } from '../content/encode-body.ts';
import { hashBuffer } from '../content/hasher.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';
import { type BackupBlob, backupLimits } from './backup-place.ts';

/** No bucket has such a name, so that no upload can be taken for a backup. */
const place = { bucket: '.holdfast', key: 'ledger' };
const attributes = { contentType: 'application/x-ndjson', headers: {}, metadata: {} };
/** What is longer is no blob of a backup. */
const blobBytesMax = 64 * 1024 ** 2;

export interface BackupCoding {
  readonly encryption: ObjectEncryption;
  /** Whether there are root keys: with them, backups are encrypted. */
  readonly isEncrypted: boolean;
}

/** Lays lines down as any content is: compressed, encrypted where there are root keys, with a description behind them. */
export async function encodeBackup(
  own: Buffer,
  { generation, number }: Pick<BackupBlob, 'generation' | 'number'>,
  { encryption, isEncrypted }: BackupCoding,
  createdAtMs: number,
): Promise<Buffer> {
  const owner = { contentId: generation, part: number, sizeBytes: own.length };
  const applied = isEncrypted ? ({ kind: 'aes256' } as const) : null;
  const key = await encryption.newKey(applied, undefined, owner);
  const { body, form } = await encodeBuffer(own, { key, compression: 'when-small' }, owner);
  const encrypted = applied === null ? {} : { encryption: applied };
  const description = { ...place, ...owner, attributes, createdAtMs, ...encrypted };
  return Buffer.concat([body, encodeDescription(description, hashBuffer(own, {}), { form, key })]);
}

/** What a blob has of a backup. */
export interface ReadBackup {
  readonly own: Buffer;
  /** Whether nobody without a key under our root keys can have written it. */
  readonly isProven: boolean;
}

/** Reads lines back; `null` when the blob is not there or not, to the last bit, what was written. Throws what backends throw. */
export async function readBackup(
  backend: ObjectBackend,
  blob: BackupBlob,
  encryption: ObjectEncryption,
  signal: AbortSignal,
): Promise<ReadBackup | null> {
  const open = await backend.get(blob.storageKey, null, backupLimits(signal));
  if (open === null) return null;
  if (open.sizeBytes > blobBytesMax) {
    open.cancel();
    return null;
  }
  const pieces: Buffer[] = [];
  for await (const piece of chunksOf(open.content)) pieces.push(piece);
  return decodeBackup(Buffer.concat(pieces), blob, encryption);
}

async function decodeBackup(bytes: Buffer, blob: BackupBlob, encryption: ObjectEncryption): Promise<ReadBackup | null> {
  const told = decodeDescription(bytes);
  if (told === null || told.contentId !== blob.generation || told.part !== blob.number) return null;
  const owner = { contentId: told.contentId, part: told.part, sizeBytes: told.sizeBytes };
  const { form } = told;
  const key = form?.sealed == null ? null : await encryption.open(form.sealed, owner, undefined);
  const proven = key === null ? told : openDescription(bytes, key);
  // Others have keys under our root keys too: whoever uploads with encryption, but never to this place.
  if (proven === null || proven.bucket !== place.bucket || proven.key !== place.key) return null;
  const body = bytes.subarray(0, form?.bodyBytes ?? told.sizeBytes);
  try {
    const own = form === undefined ? body : await expand(body);
    return hashBuffer(own, {}).md5 === proven.md5 ? { own, isProven: key !== null } : null;
  } catch {
    return null;
  }

  async function expand(from: Buffer): Promise<Buffer> {
    const reading = planReading(form!, owner, key, { offset: 0, length: owner.sizeBytes });
    if (reading === null) return from;
    const { range, decode } = reading;
    const wanted = from.subarray(range.offset, range.offset + range.length);
    const pieces: Buffer[] = [];
    for await (const piece of chunksOf(decode(wanted, (reason) => new Error(reason)))) pieces.push(piece);
    return Buffer.concat(pieces);
  }
}
