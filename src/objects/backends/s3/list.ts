import type { XmlElement } from '../../s3/command.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { BlobFacts, BlobPage, ListPage } from '../backend.ts';
import type { S3Client } from './client.ts';
import { childrenOf, garbage, requiredText, textIn } from './documents.ts';
import { decodeListed } from './listed.ts';

/** Answers that one page may take: servers may give fewer keys than asked for, but not for ever. */
const ANSWERS_MAX = 256;

/**
 * One page by ListObjectsV2, filled from as many answers as it takes.
 *
 * @throws HoldfastError `backend` for a listing that is not in byte order or goes outside of what was asked for: merged with
 * the ledger it would make blobs seem lost.
 */
export async function listBlobs(
  client: S3Client,
  prefix: string,
  { prefix: keyPrefix, after, limit }: ListPage,
  signal: AbortSignal,
): Promise<BlobPage> {
  const wanted = prefix + keyPrefix;
  const order = new Order(client.who, wanted, after === undefined || after === '' ? null : prefix + after);
  const blobs: BlobFacts[] = [];
  let token: string | null = null;
  for (let answers = 0; answers < ANSWERS_MAX; answers++) {
    const query = {
      'list-type': 2,
      'encoding-type': 'url',
      'max-keys': limit - blobs.length,
      ...(wanted === '' ? {} : { prefix: wanted }),
      ...(token === null ? order.start : { 'continuation-token': token }),
    };
    const root = await client.document({ method: 'GET', key: null, query, signal }, 'ListBucketResult');
    for (const stored of storedIn(root, client.who)) {
      order.check(stored.key);
      blobs.push({ ...stored, key: stored.key.slice(prefix.length) });
    }
    if (blobs.length > limit)
      throw garbage(client.who, `lists ${blobs.length} keys where at most ${limit} were asked for`);
    if (textIn(root, 'IsTruncated') !== 'true') return { blobs, isTruncated: false };
    if (blobs.length === limit) return { blobs, isTruncated: true };
    token = requiredText(root, 'NextContinuationToken', client.who);
  }
  throw garbage(client.who, 'lists a few keys at a time without end');
}

/** Failure 10: a listing out of order must not be believed. */
class Order {
  readonly #who: string;
  readonly #prefix: string;
  #last: Buffer | null;
  /** Where the first answer is to start. */
  readonly start: Readonly<Record<string, string>>;

  constructor(who: string, prefix: string, after: string | null) {
    this.#who = who;
    this.#prefix = prefix;
    this.#last = after === null ? null : Buffer.from(after);
    this.start = after === null ? {} : { 'start-after': after };
  }

  check(key: string): void {
    const bytes = Buffer.from(key);
    if (!key.startsWith(this.#prefix)) throw this.#wrong('has keys outside of the prefix that was asked for');
    if (this.#last !== null && Buffer.compare(bytes, this.#last) <= 0) throw this.#wrong('is not in byte order');
    this.#last = bytes;
  }

  #wrong(what: string): HoldfastError {
    return new HoldfastError('backend', `${this.#who} gave a listing that ${what}.`, { reason: 'listing_order' });
  }
}

function storedIn(root: XmlElement, who: string): BlobFacts[] {
  const decode = decodeListed(root, who);
  return childrenOf(root, 'Contents').map((element) => {
    const size = requiredText(element, 'Size', who);
    const modifiedAtMs = Date.parse(requiredText(element, 'LastModified', who));
    if (!/^\d{1,15}$/.test(size) || Number.isNaN(modifiedAtMs)) throw garbage(who, 'has a size or a time that is none');
    return { key: decode(requiredText(element, 'Key', who)), sizeBytes: Number(size), modifiedAtMs };
  });
}
