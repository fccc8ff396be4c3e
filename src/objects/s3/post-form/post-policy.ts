import { doubledName } from '../../access/policy/strict-json.ts';
import { objectError } from '../../errors.ts';
import { parseTime } from '../times.ts';

/**
 * The policy of a form: what its signer lets others upload, and until when
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html).
 */
export interface PostPolicy {
  readonly expiresAtMs: number;
  readonly conditions: readonly FormCondition[];
}

export type FormCondition =
  | { readonly kind: 'eq' | 'starts-with'; readonly field: string; readonly value: string }
  | { readonly kind: 'content-length-range'; readonly minBytes: number; readonly maxBytes: number };

/** Reads a policy from its base64. Names of fields become lower case. Throws `InvalidPolicyDocument`. */
export function parsePostPolicy(base64: string): PostPolicy {
  const document = parseJson(base64);
  if (typeof document !== 'object' || document === null) throw invalid('It is not an object.');
  const { expiration, conditions, ...others } = document as Readonly<Record<string, unknown>>;
  const [other] = Object.keys(others);
  if (other !== undefined) throw invalid(`It has no ${JSON.stringify(other.slice(0, 100))}.`);
  const expiresAtMs = typeof expiration === 'string' ? parseTime(expiration) : null;
  if (expiresAtMs === null) throw invalid('Its expiration is missing, or no time as ISO 8601 writes it.');
  if (!Array.isArray(conditions)) throw invalid('Its conditions are missing.');
  return { expiresAtMs, conditions: (conditions as readonly unknown[]).flatMap(parseCondition) };
}

function parseJson(base64: string): unknown {
  const compact = base64.replaceAll(/[\r\n]/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) throw invalid('It is not base64.');
  const text = Buffer.from(compact, 'base64').toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('It is not JSON.');
  }
  if (doubledName(text) !== null) throw invalid('It has a name twice in one object.');
  return value;
}

function parseCondition(condition: unknown): readonly FormCondition[] {
  if (Array.isArray(condition)) return [parseList(condition)];
  if (typeof condition !== 'object' || condition === null) throw invalid('A condition is an object or a list.');
  const entries = Object.entries(condition as Readonly<Record<string, unknown>>);
  if (entries.length === 0) throw invalid('A condition is empty.');
  return entries.map(([name, value]) => {
    if (typeof value !== 'string') throw invalid('The value of a condition is text.');
    return { kind: 'eq', field: name.toLowerCase(), value };
  });
}

function parseList(list: readonly unknown[]): FormCondition {
  const [operator, first, second] = list;
  if (list.length !== 3 || typeof operator !== 'string') throw invalid('A condition in a list has three parts.');
  const kind = operator.toLowerCase();
  if (kind === 'content-length-range') {
    const [minBytes, maxBytes] = [sizeOf(first), sizeOf(second)];
    if (minBytes > maxBytes) throw invalid('A content-length-range ends before it begins.');
    return { kind, minBytes, maxBytes };
  }
  if (kind !== 'eq' && kind !== 'starts-with') {
    throw invalid(`${JSON.stringify(operator.slice(0, 100))} is no condition.`);
  }
  if (typeof first !== 'string' || !first.startsWith('$') || typeof second !== 'string') {
    throw invalid('A condition compares a field, such as $key, with a text.');
  }
  return { kind, field: first.slice(1).toLowerCase(), value: second };
}

function sizeOf(value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) throw invalid('A content-length-range has two sizes.');
  return Number(text);
}

function invalid(sentence: string): Error {
  return objectError('InvalidPolicyDocument', {}, `The policy of the form is not valid. ${sentence}`);
}
