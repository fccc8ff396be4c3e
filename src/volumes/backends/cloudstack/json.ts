import { HoldfastError } from '../../../kernel/errors/errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Parses an answer of CloudStack. Whole numbers beyond 2^53 stay exact, as bigints: sizes are bytes, and large ones would
 * be rounded otherwise. Throws a SyntaxError for what is no JSON.
 */
export function parseJson(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source;
    if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value;
    return /^-?\d+$/.test(source) ? BigInt(source) : value;
  });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Servers of different ages write the same fact as a number, a string or a boolean. These readers take any of them.

/** Text, or `null` when it is absent or empty. Ids were numbers once. */
export function textIn(object: JsonObject, key: string): string | null {
  const value = object[key];
  if (typeof value === 'string') return value === '' ? null : value;
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : null;
}

/** A whole number, or `null` when it is absent or none. */
export function integerIn(object: JsonObject, key: string): number | null {
  const value = bigintIn(object, key);
  return value === null ? null : Number(value);
}

export function bigintIn(object: JsonObject, key: string): bigint | null {
  const value = object[key];
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : null;
  return typeof value === 'string' && /^-?\d{1,30}$/.test(value) ? BigInt(value) : null;
}

/** The objects of a list; an empty list is left out by the server. */
export function objectsIn(object: JsonObject, key: string): readonly JsonObject[] {
  const value = object[key];
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A field that a row must have. Throws `backend` when it has not. */
export function requiredText(object: JsonObject, key: string, what: string): string {
  const value = textIn(object, key);
  if (value !== null) return value;
  throw new HoldfastError('backend', `CloudStack answered with ${what} that has no ${key}.`);
}
