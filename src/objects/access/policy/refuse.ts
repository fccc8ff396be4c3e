import { objectError } from '../../errors.ts';

/** The error for a policy that is not taken. */
export function malformedPolicy(sentence: string): Error {
  return objectError('MalformedPolicy', {}, sentence);
}

/** What a policy says itself, in an error: not longer than helps. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** An object of JSON with these members and no others. */
export function expectObject(
  value: unknown,
  what: string,
  names: readonly string[] | null,
): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformedPolicy(`${what} is an object.`);
  }
  for (const name of Object.keys(value)) {
    if (names !== null && !names.includes(name)) throw malformedPolicy(`${what} has no ${quoted(name)}.`);
  }
  return value as Readonly<Record<string, unknown>>;
}

/** A text, or a list of at least one. */
export function expectTexts(value: unknown, what: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw malformedPolicy(`${what} is empty.`);
  return list.map((one) => {
    if (typeof one !== 'string') throw malformedPolicy(`${what} is text or a list of texts.`);
    return one;
  });
}

export function expectText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw malformedPolicy(`${what} is text.`);
  return value;
}
