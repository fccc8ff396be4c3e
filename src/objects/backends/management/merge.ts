/** Text values of which some change: `null` takes one away, absent ones stay. */
export function mergeTexts(
  before: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const merged = new Map(Object.entries(before));
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) merged.delete(key);
    else merged.set(key, value);
  }
  return Object.fromEntries(merged);
}

/** Whether two records say the same, in whatever order. */
export function isSameTexts(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return sortedText(a) === sortedText(b);
}

function sortedText(record: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
