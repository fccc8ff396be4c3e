import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { TargetKind, TargetSecrets, TargetSettings } from './target.ts';

/** What is asked of a target; what is absent stays, or is the default. */
export interface TargetWish {
  readonly url?: string | undefined;
  readonly secret?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly topic?: string | undefined;
  readonly username?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly ca?: string | null | undefined;
  readonly source?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly parallel?: number | undefined;
}

export interface TargetParts {
  readonly settings: TargetSettings;
  readonly secrets: TargetSecrets;
}

const defaultTimeoutMs = 10_000;
const defaultParallel = 4;
const defaultSource = '/holdfast';
const headersMax = 20;
const headerValueLengthMax = 4_096;
const topicBytesMax = 1_024;
/** Standard Webhooks: a secret has 24 to 64 bytes (https://www.standardwebhooks.com). */
const secretBytesMin = 24;
const secretBytesMax = 64;
const madeSecretBytes = 32;

const ofWebhook = ['secret', 'headers'] as const;
const ofMqtt = ['topic', 'username', 'password'] as const;
/** What may stand in a header's name (RFC 9110, 5.6.2). */
const headerName = /^[\w!#$%&'*+.^`|~-]{1,100}$/;
/** Ours, and those that belong to the connection. */
const reservedHeader =
  /^(webhook-.*|content-.*|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|proxy-.*)$/;

/**
 * A target's parts once a wish is granted; `made` is a secret that was made for it. Throws `invalid` with a sentence for
 * what its kind does not have, and for what cannot be.
 */
export function grantWish(
  kind: TargetKind,
  current: TargetParts | null,
  wish: TargetWish,
): TargetParts & { readonly made: string | null } {
  for (const field of kind === 'webhook' ? ofMqtt : ofWebhook) {
    if (wish[field] !== undefined) throw refuse(field, `A target of kind ${kind} has no ${field}.`);
  }
  const url = wish.url === undefined ? current?.settings.url : checkedUrl(kind, wish.url);
  if (url === undefined) throw refuse('url', 'A target needs a url.');
  const parts = kind === 'webhook' ? webhookParts(current, wish) : mqttParts(current, wish);
  const ca = wish.ca === undefined ? (current?.settings.ca ?? null) : checkedCa(wish.ca);
  if (kind === 'webhook' && ca !== null) {
    throw refuse(
      'ca',
      'A webhook has no ca: its certificate is checked as Node.js is told to, see NODE_EXTRA_CA_CERTS.',
    );
  }
  const settings = {
    url,
    timeoutMs: wish.timeoutMs ?? current?.settings.timeoutMs ?? defaultTimeoutMs,
    parallel: wish.parallel ?? current?.settings.parallel ?? defaultParallel,
    source: wish.source === undefined ? (current?.settings.source ?? defaultSource) : checkedSource(wish.source),
    headerNames: Object.keys(parts.secrets.headers ?? {}).sort(),
    topic: parts.topic,
    ca,
  };
  return { settings, secrets: parts.secrets, made: parts.made };
}

interface KindParts {
  readonly topic: string | null;
  readonly secrets: TargetSecrets;
  readonly made: string | null;
}

function webhookParts(current: TargetParts | null, wish: TargetWish): KindParts {
  const known = wish.secret === undefined ? current?.secrets.secret : checkedSecret(wish.secret);
  const made = known === undefined ? `whsec_${randomBytes(madeSecretBytes).toString('base64')}` : null;
  const headers = wish.headers === undefined ? (current?.secrets.headers ?? {}) : checkedHeaders(wish.headers);
  return { topic: null, secrets: { secret: known ?? made!, headers }, made };
}

function mqttParts(current: TargetParts | null, wish: TargetWish): KindParts {
  const topic = wish.topic === undefined ? current?.settings.topic : checkedTopic(wish.topic);
  if (topic === undefined || topic === null) throw refuse('topic', 'A target of kind mqtt needs a topic.');
  const username = wish.username === undefined ? current?.secrets.username : (wish.username ?? undefined);
  const password = wish.password === undefined ? current?.secrets.password : (wish.password ?? undefined);
  if (password !== undefined && username === undefined) throw refuse('username', 'A password needs a username.');
  const secrets = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  return { topic, secrets, made: null };
}

const schemes: Readonly<Record<TargetKind, readonly string[]>> = {
  webhook: ['http:', 'https:'],
  mqtt: ['mqtt:', 'mqtts:'],
};

function checkedUrl(kind: TargetKind, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !schemes[kind].includes(url.protocol) || url.hostname === '') {
    throw refuse('url', `The url of a target of kind ${kind} begins with ${schemes[kind].join('// or ')}//.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw refuse('url', 'A url with a user or a password in it would be seen by everybody: give them beside it.');
  }
  if (kind === 'mqtt' && (!/^\/?$/.test(url.pathname) || url.search !== '')) {
    throw refuse('url', 'The url of a broker is its scheme, host and port.');
  }
  return text;
}

function checkedSecret(text: string): string {
  const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+=*)$/.exec(text) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  const isExact = bytes.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '');
  if (isExact && bytes.length >= secretBytesMin && bytes.length <= secretBytesMax) return text;
  const sentence = `A secret is whsec_ and the base64 of ${secretBytesMin} to ${secretBytesMax} random bytes; one is made when none is given.`;
  throw new HoldfastError('invalid', sentence, { field: 'secret' });
}

function checkedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers);
  if (entries.length > headersMax) throw refuse('headers', `There can be at most ${headersMax} headers.`);
  const checked: Record<string, string> = {};
  for (const [given, value] of entries) {
    const name = given.toLowerCase();
    if (!headerName.test(name)) throw refuse('headers', `"${given.slice(0, 100)}" is not the name of a header.`);
    if (reservedHeader.test(name)) throw refuse('headers', `The header ${name} cannot be set.`);
    if (checked[name] !== undefined) throw refuse('headers', `The header ${name} is there twice.`);
    if (value.length > headerValueLengthMax || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value) || value !== value.trim()) {
      throw refuse('headers', `The value of the header ${name} is not one that a header can have.`);
    }
    checked[name] = value;
  }
  return checked;
}

/** A name to publish to (MQTT 5.0, 4.7): no wildcards, and no `$`, which belongs to the broker. */
function checkedTopic(topic: string): string {
  const isName = topic !== '' && !/[+#\0]/.test(topic) && !topic.startsWith('$') && topic.isWellFormed();
  if (isName && Buffer.byteLength(topic) <= topicBytesMax) return topic;
  throw refuse('topic', `A topic has 1 to ${topicBytesMax} bytes, no + and no #, and does not begin with $.`);
}

/** A URI reference (CloudEvents 1.0, `source`). */
function checkedSource(source: string): string {
  if (/^[\w.~:/?#[\]@!$&'()*+,;=%-]{1,200}$/.test(source)) return source;
  throw refuse(
    'source',
    'A source is a URI reference of at most 200 characters, such as /holdfast or https://home.example.',
  );
}

function checkedCa(ca: string | null): string | null {
  if (ca === null || /-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/.test(ca)) return ca;
  throw refuse('ca', 'A ca is one or more certificates as PEM.');
}

/** Nothing that was given is repeated: it may be a secret in the wrong place. */
function refuse(field: string, sentence: string): HoldfastError {
  return new HoldfastError('invalid', sentence, { field });
}
