import type { CorsRule } from '../bucket.ts';
import { objectError } from '../errors.ts';
import type { XmlElement } from './command.ts';
import { childrenOf, expectElement, integerIn, malformed, textIn, textsIn } from './xml/find.ts';

/**
 * Which pages of other origins may use a bucket; pure
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html).
 */

export const corsXmlBytesMax = 65_536;
const rulesMax = 100;
const idLengthMax = 255;
/** A preflight needs no signature, so what it may ask of us is bounded. */
const requestedHeadersMax = 100;
const methods = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'] as const;
/** What may stand in a header's name (RFC 9110, 5.6.2), and so in the lists of names that answers carry. */
const token = /^[\w!#$%&'*+.^`|~-]+$/;

/** The rules of a `CORSConfiguration`. Throws `MalformedXML`, and `InvalidRequest` where AWS does. */
export function parseCors(root: XmlElement): readonly CorsRule[] {
  const rules = childrenOf(expectElement(root, 'CORSConfiguration', ['CORSRule']), 'CORSRule');
  if (rules.length === 0) throw malformed('CORSConfiguration needs a CORSRule.');
  if (rules.length > rulesMax) throw refuse(`There can be at most ${rulesMax} rules.`);
  return rules.map(parseRule);
}

function parseRule(element: XmlElement): CorsRule {
  const names = ['ID', 'AllowedOrigin', 'AllowedMethod', 'AllowedHeader', 'ExposeHeader', 'MaxAgeSeconds'];
  expectElement(element, 'CORSRule', names);
  const id = textIn(element, 'ID');
  if (id !== undefined && id.length > idLengthMax) throw refuse(`An ID has at most ${idLengthMax} characters.`);
  const maxAgeSeconds = integerIn(element, 'MaxAgeSeconds');
  if (maxAgeSeconds !== undefined && (maxAgeSeconds < 0 || maxAgeSeconds > 2_147_483_647)) {
    throw refuse('MaxAgeSeconds is from 0 to 2147483647.');
  }
  const allowedHeaders = textsIn(element, 'AllowedHeader');
  const exposeHeaders = textsIn(element, 'ExposeHeader');
  for (const name of allowedHeaders) requireHeaderPattern(name);
  for (const name of exposeHeaders) {
    if (name.includes('*') || !token.test(name)) throw refuse('ExposeHeader is the name of a header, without *.');
  }
  return {
    ...(id === undefined ? {} : { id }),
    allowedOrigins: parseOrigins(element),
    allowedMethods: parseMethods(element),
    ...(allowedHeaders.length > 0 ? { allowedHeaders } : {}),
    ...(exposeHeaders.length > 0 ? { exposeHeaders } : {}),
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
  };
}

function parseOrigins(rule: XmlElement): readonly string[] {
  const origins = textsIn(rule, 'AllowedOrigin');
  if (origins.length === 0) throw malformed('CORSRule needs an AllowedOrigin.');
  for (const origin of origins) {
    if (origin === '') throw malformed('AllowedOrigin is not empty.');
    requireOneStar('AllowedOrigin', origin);
  }
  return origins;
}

function parseMethods(rule: XmlElement): readonly string[] {
  const found = textsIn(rule, 'AllowedMethod');
  if (found.length === 0) throw malformed('CORSRule needs an AllowedMethod.');
  for (const method of found) {
    if (!methods.some((known) => known === method)) throw refuse(`AllowedMethod is one of ${methods.join(', ')}.`);
  }
  return found;
}

function requireHeaderPattern(name: string): void {
  if (!token.test(name)) throw refuse('AllowedHeader is the name of a header, in which one * may stand.');
  requireOneStar('AllowedHeader', name);
}

function requireOneStar(name: string, pattern: string): void {
  if (pattern.indexOf('*') !== pattern.lastIndexOf('*')) throw refuse(`${name} has at most one *.`);
}

function refuse(sentence: string): Error {
  return objectError('InvalidRequest', {}, sentence);
}

/** The `CORSConfiguration` of rules. */
export function writeCors(rules: readonly CorsRule[]): XmlElement {
  return { name: 'CORSConfiguration', children: rules.map(writeRule) };
}

function writeRule(rule: CorsRule): XmlElement {
  const texts = (name: string, values: readonly (string | number)[] = []): XmlElement[] =>
    values.map((value) => ({ name, text: String(value) }));
  return {
    name: 'CORSRule',
    children: [
      ...texts('ID', rule.id === undefined ? [] : [rule.id]),
      ...texts('AllowedMethod', rule.allowedMethods),
      ...texts('AllowedOrigin', rule.allowedOrigins),
      ...texts('AllowedHeader', rule.allowedHeaders),
      ...texts('ExposeHeader', rule.exposeHeaders),
      ...texts('MaxAgeSeconds', rule.maxAgeSeconds === undefined ? [] : [rule.maxAgeSeconds]),
    ],
  };
}

/**
 * The headers that an answer to this origin carries, by the first rule that fits; `null` when none does. A preflight is
 * refused then (`AccessForbidden`); any other request goes on without headers.
 * @param method of the request, or what `Access-Control-Request-Method` announces.
 * @param requestedHeaders the names in `Access-Control-Request-Headers`; empty for a request that is no preflight.
 */
export function matchCors(
  rules: readonly CorsRule[],
  origin: string,
  method: string,
  requestedHeaders: readonly string[],
): Readonly<Record<string, string>> | null {
  const names = requestedHeaders.map((name) => name.trim().toLowerCase()).filter((name) => name !== '');
  if (names.length > requestedHeadersMax) return null;
  for (const rule of rules) {
    const pattern = rule.allowedOrigins.find((one) => fits(one, origin));
    if (pattern === undefined || !rule.allowedMethods.includes(method)) continue;
    const patterns = (rule.allowedHeaders ?? []).map((one) => one.toLowerCase());
    if (!names.every((name) => token.test(name) && patterns.some((one) => fits(one, name)))) continue;
    return answer(rule, pattern === '*' ? '*' : origin, names);
  }
  return null;
}

function answer(rule: CorsRule, origin: string, names: readonly string[]): Readonly<Record<string, string>> {
  const expose = rule.exposeHeaders ?? [];
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': rule.allowedMethods.join(', '),
    ...(names.length > 0 ? { 'access-control-allow-headers': names.join(', ') } : {}),
    ...(expose.length > 0 ? { 'access-control-expose-headers': expose.join(', ') } : {}),
    ...(rule.maxAgeSeconds === undefined ? {} : { 'access-control-max-age': String(rule.maxAgeSeconds) }),
    // Credentials and the origin `*` exclude each other (Fetch, "CORS protocol and credentials").
    ...(origin === '*' ? {} : { 'access-control-allow-credentials': 'true' }),
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  };
}

/** Whether a text is what a pattern with at most one `*` stands for. */
function fits(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === text;
  const [head, tail] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail);
}
