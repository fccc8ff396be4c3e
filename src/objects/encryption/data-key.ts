import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { WrappedDataKey } from '../content/form.ts';
import { keyBytes, unwrapKey, wrapKey } from './wrap.ts';

/** A key-encryption key as others keep it: wrapped by a root key, as of now. */
export interface WrappedKek {
  readonly id: string;
  readonly rootKeyId: string;
  readonly wrapped: string;
}

/** A key-encryption key in this process's memory. */
export interface Kek extends WrappedKek {
  readonly bytes: Buffer;
}

/** A key that a customer sends along with each request, and that nobody keeps. */
export interface CustomerKey {
  readonly bytes: Buffer;
  /** Base64, as the customer sent it. */
  readonly md5: string;
}

/** The data key of one part that is being written. */
export interface NewDataKey {
  readonly bytes: Buffer;
  readonly wrapped: WrappedDataKey;
  /** What wraps it, so that the blob can tell; `null` for a customer's key. */
  readonly kek: WrappedKek | null;
}

/** What a data key belongs to. */
export interface DataKeyOwner {
  readonly contentId: string;
  readonly part: number;
}

export function newDataKey(outer: Kek | CustomerKey, owner: DataKeyOwner): NewDataKey {
  const bytes = randomBytes(keyBytes);
  if (!('rootKeyId' in outer)) {
    return { bytes, wrapped: { kekId: null, wrapped: wrapKey(outer.bytes, bytes, about(null, owner)) }, kek: null };
  }
  const { id, rootKeyId, wrapped } = outer;
  return {
    bytes,
    wrapped: { kekId: id, wrapped: wrapKey(outer.bytes, bytes, about(id, owner)) },
    kek: { id, rootKeyId, wrapped },
  };
}

/** `null` when the outer key is another one, or the wrapped key belongs to something else. */
export function openDataKey(outer: Buffer, { kekId, wrapped }: WrappedDataKey, owner: DataKeyOwner): Buffer | null {
  return unwrapKey(outer, wrapped, about(kekId, owner));
}

function about(kekId: string | null, { contentId, part }: DataKeyOwner): string {
  return `data key\n${kekId ?? 'customer'}\n${contentId}\n${part}`;
}

/** What is kept of a customer's key: by which it can be recognised, and not found. */
export interface CustomerKeyMark {
  readonly salt: string;
  readonly check: string;
}

export function markCustomerKey({ bytes }: CustomerKey): CustomerKeyMark {
  const salt = randomBytes(16).toString('base64');
  return { salt, check: checkOf(bytes, salt).toString('base64') };
}

export function isMarked({ bytes }: CustomerKey, { salt, check }: CustomerKeyMark): boolean {
  return timingSafeEqual(checkOf(bytes, salt), Buffer.from(check, 'base64'));
}

function checkOf(bytes: Buffer, salt: string): Buffer {
  return createHmac('sha256', bytes).update(`holdfast: customer key, version 1\n${salt}`).digest();
}
