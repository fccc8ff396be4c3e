import type { ObjectBackend } from '../../objects/backends/backend.ts';
import type { Content } from '../../objects/content/content.ts';
import type { Tags } from '../../objects/object.ts';
import type { Listed } from './merge.ts';
import { standardClass } from '../../objects/storage-class.ts';
import { contentTypeOf } from '../object/content-type.ts';

/** What is known of an object beside its bytes. */
export interface Facts {
  readonly sizeBytes: number;
  /** Of the bytes, 32 hexadecimal digits; `null` when nobody tells. */
  readonly md5: string | null;
  readonly contentType: string;
  /** Such as `cache-control`; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: Tags;
  /** `STANDARD` where there are none. */
  readonly storageClass: string;
}

export interface OpenedObject {
  readonly facts: Facts;
  readonly content: Content;
  cancel(): void;
}

/** Is told of what stands in a place and is no object, or cannot be read as one. */
export type Told = (name: string, kind: 'skipped' | 'failed', reason: string) => void;

/** A place elsewhere that holds objects by their keys. */
export interface Place {
  /** All objects in byte order of their keys. */
  list(signal: AbortSignal, told?: Told): AsyncGenerator<Listed>;
  /** Of an object of the listing; `null` when it is gone. */
  facts(listed: Listed, signal: AbortSignal): Promise<Facts | null>;
  open(listed: Listed, signal: AbortSignal): Promise<OpenedObject | null>;
  /** Writes an object whole, with as much of its facts as the place can hold. */
  put(key: string, content: Content, facts: Facts, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The headers that go along with an object, beside its type. */
export const carriedHeaders = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
] as const;

const pageSize = 1_000;
const callTimeoutMs = 60_000;

/** Everything on a backend, a page at a time. */
export async function* listBackend(backend: ObjectBackend, signal: AbortSignal): AsyncGenerator<Listed> {
  let after: string | undefined;
  for (;;) {
    const page = { prefix: '', limit: pageSize, ...(after === undefined ? {} : { after }) };
    const { blobs, isTruncated } = await backend.list(page, limited(signal));
    yield* blobs;
    after = blobs.at(-1)?.key;
    if (!isTruncated || after === undefined) return;
  }
}

/** A bound for a call that moves few bytes. */
export function limited(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
}

/** What is known of an object where bytes and names are all that is kept. */
export function bareFacts(key: string, sizeBytes: number): Facts {
  return {
    sizeBytes,
    md5: null,
    contentType: contentTypeOf(key),
    headers: {},
    metadata: {},
    tags: {},
    storageClass: standardClass,
  };
}
