import { createSealer } from '../../kernel/secrets/sealer.ts';
import { toSecretKey } from '../../kernel/secrets/secret-key.ts';
import type { WrappedDataKey } from '../content/form.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';

/** Secrets of a setting, as they go to backends: under a data key of their own, which a key under a root key wraps. */
export interface SealedSecrets {
  readonly key: WrappedDataKey;
  /** By name, sealed with that data key. */
  readonly texts: Readonly<Record<string, string>>;
}

/** What secrets belong to. */
export interface SecretsOwner {
  readonly kind: string;
  readonly id: string;
}

/** Seals for this setting and name alone. Throws without root keys. */
export async function sealSecrets(
  encryption: ObjectEncryption,
  owner: SecretsOwner,
  secrets: Readonly<Record<string, string>>,
): Promise<SealedSecrets> {
  const { bytes, wrapped } = (await encryption.newKey({ kind: 'aes256' }, undefined, keyOwner(owner)))!;
  const sealer = createSealer(toSecretKey(bytes, 'a backup'));
  const texts = Object.entries(secrets).map(([name, plain]) => [name, sealer.seal(plain, about(owner, name))]);
  return { key: wrapped, texts: Object.fromEntries(texts) as Record<string, string> };
}

/** Throws when they were changed, belong to another setting, or were sealed under a key that is not known. */
export async function openSecrets(
  encryption: ObjectEncryption,
  owner: SecretsOwner,
  { key, texts }: SealedSecrets,
): Promise<Readonly<Record<string, string>>> {
  const bytes = await encryption.open({ key }, keyOwner(owner), undefined);
  const sealer = createSealer(toSecretKey(bytes, 'a backup'));
  const plain = Object.entries(texts).map(([name, sealed]) => [name, sealer.open(sealed, about(owner, name))]);
  return Object.fromEntries(plain) as Record<string, string>;
}

/** No content has such an id. */
function keyOwner({ kind, id }: SecretsOwner) {
  return { contentId: `secrets of ${kind}:${id}`, part: 0 };
}

function about({ kind, id }: SecretsOwner, name: string): string {
  return `backup\n${kind}\n${id}\n${name}`;
}
