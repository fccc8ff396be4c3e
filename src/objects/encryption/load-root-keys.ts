import { readFileSync } from 'node:fs';
import type { Values } from '../../kernel/config/settings.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { readKeyFile } from '../../kernel/secrets/key-file.ts';
import { parseSecretKey } from '../../kernel/secrets/secret-key.ts';
import { type RootKey, localRootKey } from './root-key.ts';
import { TransitClient, transitRootKey } from './vault/transit.ts';

export type RootKeySettings = Pick<
  Values,
  | 'encryptionKeys'
  | 'encryptionKeyFiles'
  | 'encryptionVaultKeys'
  | 'encryptionCurrentKey'
  | 'vaultAddr'
  | 'vaultTokenFile'
  | 'vaultCaFile'
  | 'vaultTransitMount'
>;

/** The root keys of this installation by their ids, and the one that new keys are wrapped by. */
export interface RootKeys {
  readonly current: RootKey;
  readonly byId: ReadonlyMap<string, RootKey>;
}

const keysSetting = 'ENCRYPTION_KEYS';
const filesSetting = 'ENCRYPTION_KEY_FILES';
const vaultSetting = 'ENCRYPTION_VAULT_KEYS';
const currentSetting = 'ENCRYPTION_CURRENT_KEY';
const idPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/**
 * Reads the root keys that are configured; `null` when none is. Throws `invalid` with one sentence, which quotes nothing of
 * a key, when what is configured cannot be used: there is no second choice. That Vault answers is found out by using it.
 */
export function loadRootKeys(settings: RootKeySettings): RootKeys | null {
  const keys = [
    ...settings.encryptionKeys.map(fromText),
    ...settings.encryptionKeyFiles.map(fromFile),
    ...fromVault(settings),
  ];
  const byId = new Map<string, RootKey>();
  for (const key of keys) {
    if (byId.has(key.id)) throw unusable(keysSetting, `Two root keys have the id ${key.id}; give each its own.`);
    byId.set(key.id, key);
  }
  const wanted = settings.encryptionCurrentKey;
  if (keys.length === 0) {
    if (wanted === undefined) return null;
    throw unusable(currentSetting, `${currentSetting} is ${wanted}, and there are no root keys.`);
  }
  if (wanted === undefined && keys.length > 1) {
    throw unusable(currentSetting, `There are ${keys.length} root keys; say with ${currentSetting} which is current.`);
  }
  const current = wanted === undefined ? keys[0] : byId.get(wanted);
  if (current === undefined) throw unusable(currentSetting, `There is no root key with the id ${wanted}.`);
  return { current, byId };
}

function fromText(text: string): RootKey {
  const [id, value] = split(text, keysSetting);
  const key = parseSecretKey(value, keysSetting);
  if (key === null) throw unusable(keysSetting, `The root key ${id} of ${keysSetting} is not 32 bytes as base64.`);
  return localRootKey(id, key.bytes, keysSetting);
}

function fromFile(text: string): RootKey {
  const [id, path] = split(text, filesSetting);
  let content: string | null;
  try {
    content = readKeyFile(path);
  } catch (error) {
    throw unusable(filesSetting, `The file ${path} of the root key ${id} cannot be read: ${reasonOf(error)}.`, error);
  }
  if (content === null) throw unusable(filesSetting, `The file ${path} of the root key ${id} does not exist.`);
  const key = parseSecretKey(content, path);
  if (key === null)
    throw unusable(filesSetting, `The file ${path} of the root key ${id} does not hold 32 bytes as base64.`);
  return localRootKey(id, key.bytes, path);
}

function fromVault(settings: RootKeySettings): RootKey[] {
  const { encryptionVaultKeys, vaultAddr, vaultTokenFile, vaultCaFile, vaultTransitMount: mount } = settings;
  if (encryptionVaultKeys.length === 0) return [];
  const origin = vaultAddr === undefined ? null : URL.parse(vaultAddr);
  if (origin === null || !['http:', 'https:'].includes(origin.protocol)) {
    throw unusable('VAULT_ADDR', `${vaultSetting} is set, and VAULT_ADDR is not the address of a Vault.`);
  }
  if (vaultTokenFile === undefined) {
    throw unusable('VAULT_TOKEN_FILE', `${vaultSetting} is set, and VAULT_TOKEN_FILE does not say where the token is.`);
  }
  const client = new TransitClient({
    origin: origin.origin,
    mount,
    tokenFile: vaultTokenFile,
    ca: readCa(vaultCaFile),
  });
  return encryptionVaultKeys.map((text) => transitRootKey(client, ...split(text, vaultSetting)));
}

function readCa(path: string | undefined): Buffer | null {
  if (path === undefined) return null;
  try {
    return readFileSync(path);
  } catch (error) {
    throw unusable('VAULT_CACERT', `The file ${path} cannot be read: ${reasonOf(error)}.`, error);
  }
}

function split(text: string, setting: string): readonly [string, string] {
  const at = text.indexOf('=');
  const id = text.slice(0, Math.max(0, at));
  if (idPattern.test(id) && at + 1 < text.length) return [id, text.slice(at + 1)];
  const message = `Each of ${setting} must be id=value; an id has 1 to 63 letters, digits, hyphens and underscores.`;
  throw unusable(setting, message);
}

function unusable(field: string, message: string, cause?: unknown): HoldfastError {
  return new HoldfastError('invalid', message, { field }, cause);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
