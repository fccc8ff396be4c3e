/**
 * A name that stands twice in one object of a JSON text, `null` when there is none. `JSON.parse` keeps the last value, so a
 * reader of the text and the one who acts on it could see two different policies.
 * @param text valid JSON.
 */
export function doubledName(text: string): string | null {
  // Of each object or array that is open: the names seen, `null` in an array.
  const open: (Set<string> | null)[] = [];
  let isNameNext = false;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    const names = open.at(-1);
    if (token === '{' || token === '[') {
      open.push(token === '{' ? new Set() : null);
      isNameNext = token === '{';
    } else if (token === '}' || token === ']') {
      open.pop();
      isNameNext = false;
    } else if (token === ',') {
      isNameNext = names instanceof Set;
    } else if (token === ':') {
      isNameNext = false;
    } else if (isNameNext && names instanceof Set) {
      const name = JSON.parse(token) as string;
      if (names.has(name)) return name;
      names.add(name);
    }
  }
  return null;
}
