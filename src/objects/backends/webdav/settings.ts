import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { BackendSettings } from '../backend.ts';

/** Settings of a `webdav` backend, read. */
export interface WebdavSettings {
  /** Its path ends with a slash. */
  readonly url: URL;
  /** The value of the header; basic (RFC 7617) or bearer (RFC 6750), or `null`. */
  readonly authorization: string | null;
  /** For people; empty without one. */
  readonly username: string;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly connectionsMax: number;
}

const defaults = { username: '', connect_timeout_ms: '10000', idle_timeout_ms: '30000', connections_max: '32' };
const configFields = new Set(['url', ...Object.keys(defaults)]);
const secretFields = new Set(['password', 'bearer_token']);

/** @throws HoldfastError `invalid` naming the field. */
export function validateWebdav({ config, secrets }: BackendSettings): BackendSettings {
  for (const field of Object.keys(config))
    if (!configFields.has(field)) throw wrong(field, 'A webdav backend does not know it.');
  for (const field of Object.keys(secrets))
    if (!secretFields.has(field)) throw wrong(field, 'A webdav backend does not know it.');
  const filled = { ...defaults, ...config };
  readWebdav({ config: filled, secrets });
  return { config: filled, secrets };
}

/** Reads validated settings. */
export function readWebdav({ config, secrets }: BackendSettings): WebdavSettings {
  const username = config['username'] ?? '';
  return {
    url: urlOf(config['url'] ?? ''),
    authorization: authorizationOf(username, secrets),
    username,
    connectTimeoutMs: numberOf(config, 'connect_timeout_ms', 100, 300_000),
    idleTimeoutMs: numberOf(config, 'idle_timeout_ms', 100, 3_600_000),
    connectionsMax: numberOf(config, 'connections_max', 1, 1024),
  };
}

function urlOf(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw wrong('url', 'It must be an http or https URL.');
  if (url.username !== '' || url.password !== '') {
    throw wrong('url', 'Credentials belong into username and password, not into the URL.');
  }
  if (url.search !== '' || url.hash !== '') throw wrong('url', 'It must have neither a query nor a fragment.');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

function authorizationOf(username: string, secrets: Readonly<Record<string, string>>): string | null {
  const { password, bearer_token: token } = secrets;
  if (token !== undefined) {
    if (password !== undefined || username !== '') {
      throw wrong('bearer_token', 'Give either a bearer token, or a user name and a password.');
    }
    if (!/^[\w.~+/-]+=*$/.test(token)) throw wrong('bearer_token', 'It has characters that no bearer token has.');
    return `Bearer ${token}`;
  }
  if (username === '' && password === undefined) return null;
  if (username === '') throw wrong('username', 'A password needs a user name.');
  // RFC 7617 §2: the first colon ends the user name.
  if (/[:\p{Cc}]/u.test(username)) throw wrong('username', 'It must have neither colons nor control characters.');
  if (password === undefined) throw wrong('password', 'A user name needs a password.');
  if (/\p{Cc}/u.test(password)) throw wrong('password', 'It must have no control characters.');
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function numberOf(
  config: Readonly<Record<string, string>>,
  field: keyof typeof defaults,
  min: number,
  max: number,
): number {
  const text = config[field] ?? defaults[field];
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw wrong(field, `It must be a whole number from ${min} to ${max}.`);
}

/** The value is not repeated: it may be a secret in the wrong field. */
function wrong(field: string, why: string): HoldfastError {
  return new HoldfastError('invalid', `The setting ${field} is wrong: ${why}`, { field });
}
