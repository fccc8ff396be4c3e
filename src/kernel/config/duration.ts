const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const unitsDown = Object.entries(unitsMs).toReversed();

/**
 * A duration such as `500ms`, `10s`, `1.5h`, `30d`, or plain milliseconds, in whole milliseconds. Throws an `Error` with a
 * sentence.
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,16})(\.\d{1,9})?\s*(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) throw new Error(`"${shortened(text)}" is not a duration such as 500ms, 10s, 5m or 24h.`);
  const [, whole = '', fraction = '', unit = 'ms'] = match;
  const ms = Math.round(Number(whole + fraction) * unitsMs[unit]!);
  if (!Number.isSafeInteger(ms)) throw new Error(`"${text}" is too long.`);
  return ms;
}

/** Milliseconds as people write them, exact: a whole number of the largest unit that divides it. */
export function formatDuration(ms: number): string {
  const [unit, unitMs] = unitsDown.find(([, size]) => ms !== 0 && ms % size === 0) ?? ['ms', 1];
  return `${ms / unitMs}${unit}`;
}

function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
