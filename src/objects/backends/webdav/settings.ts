import type { BackendSettings } from '../backend.ts';
import { numberOf, wrongSetting } from '../setting-fields.ts';

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
    if (!configFields.has(field)) throw wrongSetting(field, 'A webdav backend does not know it.');
  for (const field of Object.keys(secrets))
    if (!secretFields.has(field)) throw wrongSetting(field, 'A webdav backend does not know it.');
  const filled = { ...defaults, ...config };
  readWebdav({ config: filled, secrets });
  return { config: filled, secrets };
}

/** Reads validated settings. */
export function readWebdav({ config, secrets }: BackendSettings): WebdavSettings {
  const filled = { ...defaults, ...config };
  const { username } = filled;
  return {
    url: urlOf(config['url'] ?? ''),
    authorization: authorizationOf(username, secrets),
    username,
    connectTimeoutMs: numberOf(filled, 'connect_timeout_ms', 100, 300_000),
    idleTimeoutMs: numberOf(filled, 'idle_timeout_ms', 100, 3_600_000),
    connectionsMax: numberOf(filled, 'connections_max', 1, 1024),
  };
}

function urlOf(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw wrongSetting('url', 'It must be an http or https URL.');
  if (url.username !== '' || url.password !== '') {
    throw wrongSetting('url', 'Credentials belong into username and password, not into the URL.');
  }
  if (url.search !== '' || url.hash !== '') throw wrongSetting('url', 'It must have neither a query nor a fragment.');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

function authorizationOf(username: string, secrets: Readonly<Record<string, string>>): string | null {
  const { password, bearer_token: token } = secrets;
  if (token !== undefined) {
    if (password !== undefined || username !== '') {
      throw wrongSetting('bearer_token', 'Give either a bearer token, or a user name and a password.');
    }
    if (!/^[\w.~+/-]+=*$/.test(token))
      throw wrongSetting('bearer_token', 'It has characters that no bearer token has.');
    return `Bearer ${token}`;
  }
  if (username === '' && password === undefined) return null;
  if (username === '') throw wrongSetting('username', 'A password needs a user name.');
  // RFC 7617 §2: the first colon ends the user name.
  if (/[:\p{Cc}]/u.test(username))
    throw wrongSetting('username', 'It must have neither colons nor control characters.');
  if (password === undefined) throw wrongSetting('password', 'A user name needs a password.');
  if (/\p{Cc}/u.test(password)) throw wrongSetting('password', 'It must have no control characters.');
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
