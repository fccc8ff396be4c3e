import type { ByteClient } from '../../client-bytes.ts';
import type { ReplyOf } from '../../kernel/http/contract.ts';
import type { objectContract } from '../../objects/api/contract.ts';
import { prefixBelow } from './address.ts';
import type { Totals } from './progress-meter.ts';

export type ListReply = ReplyOf<typeof objectContract.listObjects>;
export type ListedObject = ListReply['items'][number];

export interface ListQuery {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter?: string;
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly signal?: AbortSignal;
}

export const pageMax = 1000;

/** One page of a bucket's objects in byte order of their keys. */
export function listPage(client: ByteClient, { bucket, signal, ...query }: ListQuery): Promise<ListReply> {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parts.set(name, String(value));
  return client.json({ method: 'GET', path: `/api/v1/objects/${encodeURIComponent(bucket)}?${parts}`, signal });
}

/** Every object below a key, a page at a time. */
export async function* objectsBelow(
  client: ByteClient,
  bucket: string,
  key: string,
  signal: AbortSignal,
): AsyncGenerator<ListedObject> {
  let cursor: string | undefined;
  do {
    const page = await listPage(client, { bucket, prefix: prefixBelow(key), limit: pageMax, cursor, signal });
    yield* page.items;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

/** How many objects and bytes there are below a key. */
export async function measureBelow(
  client: ByteClient,
  bucket: string,
  key: string,
  signal: AbortSignal,
): Promise<Totals> {
  let [bytes, objects] = [0, 0];
  for await (const object of objectsBelow(client, bucket, key, signal)) {
    objects++;
    bytes += Number(object.size_bytes);
  }
  return { bytes, objects };
}
