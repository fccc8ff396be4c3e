/**
 * Headers by name in lower case, as the signature has them: the values of one name joined by commas, each without white
 * space around it and with runs of it inside folded into one space.
 */
export function foldHeaders(rawHeaders: readonly string[]): ReadonlyMap<string, string> {
  return joinHeaders(rawHeaders, fold);
}

/** The same as version 2 of the signature has it: inside of values only line breaks are folded, and other white space stays. */
export function unfoldHeaders(rawHeaders: readonly string[]): ReadonlyMap<string, string> {
  return joinHeaders(rawHeaders, (value) => trim(value.replaceAll(/[\r\n]+[ \t]*/g, ' ')));
}

function joinHeaders(rawHeaders: readonly string[], clean: (value: string) => string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    const value = clean(rawHeaders[index + 1]!);
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
  }
  return headers;
}

/** Only the white space of HTTP: a no-break space may be half of another character here. */
function fold(value: string): string {
  if (!/[ \t\r\n]/.test(value)) return value;
  return trim(value.replaceAll(/[ \t\r\n]+/g, ' '));
}

function trim(value: string): string {
  return value.replace(/^[ \t\r\n]+/, '').replace(/(?<![ \t\r\n])[ \t\r\n]+$/, '');
}
