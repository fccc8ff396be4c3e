import { InvalidArgumentError } from 'commander';
import { createInterface } from 'node:readline/promises';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { parseSize } from '../kernel/config/size.ts';
import { askSecret } from './ask-secret.ts';

/** Flags that `backend add` and `backend change` share, as commander gives them. */
export interface BackendFlags {
  readonly set?: readonly string[];
  readonly secret?: readonly string[];
  readonly label?: readonly string[];
  readonly position?: string;
  readonly quota?: string;
  readonly maxObjectSize?: string;
  readonly monthlyRequests?: string;
  readonly monthlyIngress?: string;
  readonly monthlyEgress?: string;
  readonly skipTest?: boolean;
}

/** The part of a request's body that these flags make. `none` as a limit takes it away. */
export function limitsOf(flags: BackendFlags): Record<string, number | string | boolean | null> {
  const size = (flag: string, value: string | undefined, field: string) =>
    value === undefined ? {} : { [field]: value === 'none' ? null : String(sizeOf(flag, value)) };
  const { position, monthlyRequests, skipTest } = flags;
  return {
    ...size('--quota', flags.quota, 'quota_bytes'),
    ...size('--max-object-size', flags.maxObjectSize, 'object_bytes_max'),
    ...size('--monthly-ingress', flags.monthlyIngress, 'month_ingress_bytes_max'),
    ...size('--monthly-egress', flags.monthlyEgress, 'month_egress_bytes_max'),
    ...(monthlyRequests === undefined
      ? {}
      : { month_requests_max: monthlyRequests === 'none' ? null : countOf('--monthly-requests', monthlyRequests) }),
    ...(position === undefined ? {} : { position: countOf('--position', position) }),
    ...(skipTest === true ? { skip_test: true } : {}),
  };
}

/** `key=value` pairs; a value may have further `=`. Throws `invalid` for one without. */
export function pairs(flag: string, texts: readonly string[] | undefined): Record<string, string> | undefined {
  if (texts === undefined) return undefined;
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1) throw wrong(flag, text, 'is not of the form key=value');
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

/** A reader of `key=value` options: what is no pair is most likely a name that an option before it took for itself. */
export function pairOption(text: string, before: readonly string[] | undefined): readonly string[] {
  if (text.indexOf('=') > 0) return [...(before ?? []), text];
  throw new InvalidArgumentError('It is not of the form key=value. Write names before such options.');
}

/** The variable that holds the value of a secret, such as `HOLDFAST_SECRET_ACCESS_KEY` for `access_key`. */
export function secretVariable(key: string): string {
  return `HOLDFAST_SECRET_${key.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
}

/**
 * Secrets from `key=value`, or from `key` alone: the environment, else the next line of the input, so that the value need
 * not be among the arguments, which other users of the machine can see. At a terminal it is asked for, unseen.
 */
export async function secretsOf(
  texts: readonly string[] | undefined,
  env: NodeJS.ProcessEnv,
  input: NodeJS.ReadableStream,
): Promise<Record<string, string> | undefined> {
  if (texts === undefined) return undefined;
  const secrets: Record<string, string> = {};
  const unknown: string[] = [];
  for (const text of texts) {
    const equals = text.indexOf('=');
    const key = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? env[secretVariable(key)] : text.slice(equals + 1);
    if (value === undefined) unknown.push(key);
    else secrets[key] = value;
  }
  return unknown.length === 0 ? secrets : { ...secrets, ...(await readSecrets(unknown, input)) };
}

async function readSecrets(keys: readonly string[], input: NodeJS.ReadableStream): Promise<Record<string, string>> {
  const secrets: Record<string, string> = {};
  if ((input as { isTTY?: boolean }).isTTY === true) {
    for (const key of keys) secrets[key] = await askSecret(`${key}: `);
    return secrets;
  }
  const lines = createInterface({ input, terminal: false });
  try {
    const values = lines[Symbol.asyncIterator]();
    for (const key of keys) {
      const next = await values.next();
      if (next.done === true)
        throw wrong('--secret', key, `has no value: set ${secretVariable(key)} or give it on a line`);
      secrets[key] = next.value;
    }
  } finally {
    lines.close();
  }
  return secrets;
}

/** A size, such as `10GiB`. Throws `invalid`. */
export function sizeOf(flag: string, value: string): bigint {
  try {
    return parseSize(value);
  } catch (error) {
    throw new HoldfastError('invalid', `${flag}: ${error instanceof Error ? error.message : String(error)}`, {
      field: flag,
    });
  }
}

/** A whole number. Throws `invalid`. */
export function countOf(flag: string, value: string): number {
  const count = Number(value);
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(count)) throw wrong(flag, value, 'is not a whole number');
  return count;
}

function wrong(flag: string, value: string, what: string): HoldfastError {
  return new HoldfastError('invalid', `${flag}: "${value.slice(0, 100)}" ${what}.`, { field: flag });
}
