import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { BucketSettings } from '../bucket.ts';
import type { SealedForm } from '../content/form.ts';
import { objectError } from '../errors.ts';
import type { AppliedEncryption } from '../object.ts';
import {
  type CustomerKey,
  type DataKeyOwner,
  type NewDataKey,
  isMarked,
  markCustomerKey,
  newDataKey,
  openDataKey,
} from './data-key.ts';
import type { Keyring } from './keyring.ts';

/** What a request wants of the encryption of what it writes. */
export type EncryptionWish =
  | { readonly kind: 'aes256' }
  | { readonly kind: 'kms'; readonly keyId: string | null }
  | { readonly kind: 'customer'; readonly key: CustomerKey };

export function customerKeyOf(wish: EncryptionWish | undefined): CustomerKey | undefined {
  return wish?.kind === 'customer' ? wish.key : undefined;
}

/** Decides how objects are encrypted, makes their keys and opens them. Without root keys only customers' keys are used. */
export class ObjectEncryption {
  readonly #keyring: Keyring | null;

  constructor(keyring: Keyring | null) {
    this.#keyring = keyring;
  }

  /**
   * How an object is encrypted for which this is wished, else what its bucket demands; `null`: not at all. Throws
   * `KMS.NotFoundException` for a root key that is not known, and `NotImplemented` when there are none.
   */
  apply(
    wish: EncryptionWish | undefined,
    { encryption }: Pick<BucketSettings, 'encryption'>,
  ): AppliedEncryption | null {
    const wanted = wish ?? encryption ?? null;
    if (wanted === null) return null;
    if (wanted.kind === 'customer') return { kind: 'customer', ...markCustomerKey(wanted.key) };
    const { current, byId } = this.#required().rootKeys;
    if (wanted.kind === 'aes256') return { kind: 'aes256' };
    const keyId = wanted.keyId ?? current.id;
    if (!byId.has(keyId)) throw objectError('KMS.NotFoundException', { key_id: keyId.slice(0, 100) });
    return { kind: 'kms', keyId };
  }

  /** A new data key; `null` for what is not encrypted. Throws what {@link requireCustomerKey} throws. */
  async newKey(
    applied: AppliedEncryption | null | undefined,
    customerKey: CustomerKey | undefined,
    owner: DataKeyOwner,
  ): Promise<NewDataKey | null> {
    requireCustomerKey(applied, customerKey);
    if (applied == null) return null;
    if (applied.kind === 'customer') return newDataKey(customerKey!, owner);
    return newDataKey(await this.#required().current(applied.kind === 'kms' ? applied.keyId : null), owner);
  }

  /** The data key of what stands. Throws `internal` when its key-encryption key is not known: none other is tried. */
  async open(
    { key }: Pick<SealedForm, 'key'>,
    owner: DataKeyOwner,
    customerKey: CustomerKey | undefined,
  ): Promise<Buffer> {
    if (key.kekId === null) {
      const bytes = customerKey === undefined ? null : openDataKey(customerKey.bytes, key, owner);
      if (bytes === null) throw customerKey === undefined ? missingKey() : wrongKey();
      return bytes;
    }
    if (this.#keyring === null) {
      throw new HoldfastError('internal', `The encryption key ${key.kekId} is not known: there are no root keys.`);
    }
    const bytes = openDataKey((await this.#keyring.find(key.kekId)).bytes, key, owner);
    if (bytes !== null) return bytes;
    const message = `The data key of content ${owner.contentId} does not belong to the key ${key.kekId} that it names.`;
    throw new HoldfastError('internal', message, { key_id: key.kekId });
  }

  /** The keys that wrap new data keys. */
  currentKekIds(): ReadonlySet<string> {
    return this.#keyring?.currentIds ?? new Set();
  }

  #required(): Keyring {
    if (this.#keyring !== null) return this.#keyring;
    throw objectError('NotImplemented', {}, 'No root keys are configured, so that nothing can be encrypted with them.');
  }
}

/**
 * A request on what is encrypted with a customer's key must bring that key, and one on anything else none. Throws
 * `InvalidRequest` and `AccessDenied`
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html).
 */
export function requireCustomerKey(
  applied: AppliedEncryption | null | undefined,
  customerKey: CustomerKey | undefined,
): void {
  if (applied?.kind === 'customer') {
    if (customerKey === undefined) throw missingKey();
    if (!isMarked(customerKey, applied)) throw wrongKey();
  } else if (customerKey !== undefined) {
    throw objectError('InvalidRequest', {}, 'The encryption parameters are not applicable to this object.');
  }
}

function missingKey(): HoldfastError {
  const message =
    'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve ' +
    'the object.';
  return objectError('InvalidRequest', {}, message);
}

function wrongKey(): HoldfastError {
  return objectError('AccessDenied', {}, 'The key that was sent is not the one that the object was encrypted with.');
}
