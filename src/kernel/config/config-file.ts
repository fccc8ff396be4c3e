import { readFileSync } from 'node:fs';
import { parse as parseToml } from 'smol-toml';
import { HoldfastError } from '../errors/errors.ts';
import { nearest } from './nearest.ts';

/** A value of a configuration file: its text, and the key as the file writes it. */
export interface FileValue {
  readonly text: string;
  readonly key: string;
}

/**
 * The values of a TOML file by flag name; keys are flag names with `_` or `-`. Throws `invalid` for a file that cannot be
 * read, a key that is no setting, a key given twice, and a value that is neither text, number, boolean nor a list of them.
 */
export function readConfigFile(file: string, knownFlags: readonly string[]): ReadonlyMap<string, FileValue> {
  const values = new Map<string, FileValue>();
  for (const [key, value] of Object.entries(readToml(file))) {
    const flag = key.replaceAll('_', '-');
    if (!knownFlags.includes(flag)) throw unknownKey(file, key, nearest(flag, knownFlags));
    const twin = values.get(flag);
    if (twin !== undefined) throw wrong(file, key, `it is the same setting as "${twin.key}", which is also there`);
    values.set(flag, { text: textOf(file, key, value), key });
  }
  return values;
}

function readToml(file: string): Record<string, unknown> {
  try {
    return parseToml(readFileSync(file, 'utf8'));
  } catch (error) {
    // The parser adds an excerpt of the file on further lines, which may hold a secret: so neither they nor the cause.
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new HoldfastError('invalid', `The configuration file ${file} cannot be read: ${reason}.`);
  }
}

function textOf(file: string, key: string, value: unknown): string {
  const items: unknown[] = Array.isArray(value) ? value : [value];
  const texts = items.map((item) => {
    if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean') return String(item);
    throw wrong(file, key, 'it is not text, a number, true, false or a list of these');
  });
  return texts.join(',');
}

function wrong(file: string, key: string, reason: string): HoldfastError {
  return new HoldfastError('invalid', `The key "${key}" in ${file} is wrong: ${reason}.`, { field: key });
}

function unknownKey(file: string, key: string, meant: string | undefined): HoldfastError {
  const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
  return new HoldfastError('invalid', `There is no setting for the key "${key}" in ${file}.${hint}`, { field: key });
}
