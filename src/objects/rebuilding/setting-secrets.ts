import { createSealer } from '../../kernel/secrets/sealer.ts';
import { toSecretKey } from '../../kernel/secrets/secret-key.ts';
import type { WrappedDataKey } from '../content/form.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';

/** Secrets of a setting, as they go to backends: under a data key of their own, which a key under a root key wraps. */
export interface SealedSecrets {
  readonly key: WrappedDataKey;
  /** By name, sealed with that data key: piece by piece, since one has a bound. */
  readonly texts: Readonly<Record<string, readonly string[]>>;
}

/** Bytes of what is sealed in one piece. */
const pieceBytes = 49_152;

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
  const texts = Object.entries(secrets).map(([name, plain]) => {
    const pieces = piecesOf(plain);
    return [name, pieces.map((piece, index) => sealer.seal(piece, about(owner, name, index, pieces.length)))] as const;
  });
  return { key: wrapped, texts: Object.fromEntries(texts) };
}

/** Throws when they were changed, belong to another setting, or were sealed under a key that is not known. */
export async function openSecrets(
  encryption: ObjectEncryption,
  owner: SecretsOwner,
  { key, texts }: SealedSecrets,
): Promise<Readonly<Record<string, string>>> {
  const bytes = await encryption.open({ key }, keyOwner(owner), undefined);
  const sealer = createSealer(toSecretKey(bytes, 'a backup'));
  const plain = Object.entries(texts).map(([name, pieces]) => {
    const opened = pieces.map((piece, index) => sealer.open(piece, about(owner, name, index, pieces.length)));
    return [name, Buffer.concat(opened.map((piece) => Buffer.from(piece, 'base64'))).toString()] as const;
  });
  return Object.fromEntries(plain);
}

/** Base64, so that no character is cut in two. */
function piecesOf(plain: string): string[] {
  const bytes = Buffer.from(plain);
  const count = Math.max(1, Math.ceil(bytes.length / pieceBytes));
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes).toString('base64'),
  );
}

/** No content has such an id. */
function keyOwner({ kind, id }: SecretsOwner) {
  return { contentId: `secrets of ${kind}:${id}`, part: 0 };
}

function about({ kind, id }: SecretsOwner, name: string, index: number, count: number): string {
  return `backup\n${kind}\n${id}\n${name}\n${index}/${count}`;
}
