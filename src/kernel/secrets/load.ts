import { join } from 'node:path';
import { HoldfastError } from '../errors/errors.ts';
import { makeKeyFile, readKeyFile } from './key-file.ts';
import { type SecretKey, parseSecretKey, secretKeyBytes } from './secret-key.ts';

export interface SecretKeySettings {
  /** HOLDFAST_SECRET_KEY: the key itself, as base64. */
  readonly secretKey: string | undefined;
  /** HOLDFAST_SECRET_KEY_FILE: a file with that text. */
  readonly secretKeyFile: string | undefined;
  /** Where `secret.key` is when neither is set. */
  readonly dataDir: string;
}

const keySetting = 'HOLDFAST_SECRET_KEY';
const fileSetting = 'HOLDFAST_SECRET_KEY_FILE';
const fileName = 'secret.key';
const wanted = `${secretKeyBytes} bytes as base64, such as "openssl rand -base64 ${secretKeyBytes}" makes`;

/**
 * The key of this installation: the configured one, else that of the data directory. `mayMake` is whether a missing file
 * in the data directory may be made; it may not when secrets were sealed already, since a new key opens none of them.
 * Throws `invalid` with one sentence when what is configured cannot be used. There is no second choice.
 */
export function loadSecretKey(settings: SecretKeySettings, mayMake: boolean): SecretKey {
  const { secretKey, secretKeyFile, dataDir } = settings;
  if (secretKey !== undefined && secretKeyFile !== undefined) {
    throw unusable(keySetting, `${keySetting} and ${fileSetting} are both set; set one of them.`);
  }
  if (secretKey !== undefined) {
    const key = parseSecretKey(secretKey, keySetting);
    if (key === null) throw unusable(keySetting, `${keySetting} is not a key: it must be ${wanted}.`);
    return key;
  }
  if (secretKeyFile !== undefined) return fromFile(secretKeyFile);
  const path = join(dataDir, fileName);
  if (reading(path) === null) {
    if (!mayMake) {
      const message = `The secrets of this store are sealed, and there is no key: ${path} is missing and ${keySetting} is not set.`;
      throw unusable(keySetting, message);
    }
    try {
      makeKeyFile(path);
    } catch (error) {
      throw unusable(keySetting, `The key file ${path} cannot be made: ${reasonOf(error)}.`, error);
    }
  }
  return fromFile(path);
}

function fromFile(path: string): SecretKey {
  const text = reading(path);
  if (text === null) throw unusable(fileSetting, `The key file ${path} does not exist.`);
  const key = parseSecretKey(text, path);
  if (key === null) throw unusable(fileSetting, `The key file ${path} holds no key: it must hold ${wanted}.`);
  return key;
}

function reading(path: string): string | null {
  try {
    return readKeyFile(path);
  } catch (error) {
    throw unusable(fileSetting, `The key file ${path} cannot be read: ${reasonOf(error)}.`, error);
  }
}

/** Sentences never quote what was read: it may be most of a key. */
function unusable(field: string, message: string, cause?: unknown): HoldfastError {
  return new HoldfastError('invalid', message, { field }, cause);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
