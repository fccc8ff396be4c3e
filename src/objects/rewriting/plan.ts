import type { BucketSettings } from '../bucket.ts';
import type { StoredForm } from '../content/form.ts';
import type { AppliedEncryption } from '../object.ts';

/** What a pass over objects that stand makes of them. */
export const rewriteActions = ['encrypt', 'decrypt', 're-key', 'compress', 'decompress'] as const;
export type RewriteAction = (typeof rewriteActions)[number];

/** A content as it stands. */
export interface StandingContent {
  readonly encryption: AppliedEncryption | null;
  /** Of each of its parts. */
  readonly forms: readonly (StoredForm | null)[];
  /** Whether compressing it was tried and did not help. */
  readonly isIncompressible: boolean;
  /** Of the bucket of its first version. */
  readonly settings: Pick<BucketSettings, 'encryption'>;
}

/** How a content is to be written anew. */
export interface RewriteWish {
  /** What is wished of its encryption: as a request would wish it, or (`null`) none. */
  readonly encryption: { readonly kind: 'aes256' } | { readonly kind: 'kms'; readonly keyId: string | null } | null;
  readonly isCompressed: boolean;
}

/**
 * What an action makes of a content; `null` when it is so already. What stands under a customer's key stays as it is: nobody
 * here can read it. `currentKekIds` are the keys that wrap new data keys: re-keying is for what is under any other.
 */
export function planRewrite(
  action: RewriteAction,
  content: StandingContent,
  currentKekIds: ReadonlySet<string>,
): RewriteWish | null {
  const { encryption, forms, isIncompressible, settings } = content;
  if (encryption?.kind === 'customer') return null;
  const isCompressed = forms.some((form) => form !== null && form.zstd !== null);
  if (action === 'encrypt') {
    return encryption === null ? { encryption: settings.encryption ?? { kind: 'aes256' }, isCompressed } : null;
  }
  if (action === 'decrypt') return encryption === null ? null : { encryption: null, isCompressed };
  if (action === 're-key') {
    const isCurrent = forms.every((form) => currentKekIds.has(form?.sealed?.key.kekId ?? ''));
    return encryption === null || isCurrent ? null : { encryption, isCompressed };
  }
  const isToBeCompressed = action === 'compress';
  if (isCompressed === isToBeCompressed || (isToBeCompressed && isIncompressible)) return null;
  return { encryption, isCompressed: isToBeCompressed };
}
