const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as `500ms`, `10s`, `5m`, `24h`, `30d`, or plain milliseconds, in milliseconds. Throws a sentence. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) throw new Error(`"${text}" is not a duration such as 500ms, 10s, 5m or 24h.`);
  const ms = Number(match[1]) * unitsMs[match[2] ?? 'ms']!;
  if (!Number.isSafeInteger(Math.round(ms))) throw new Error(`"${text}" is too long.`);
  return Math.round(ms);
}

/** Milliseconds as people write them, exact: the largest unit that divides it. */
export function formatDuration(ms: number): string {
  const unit = ['d', 'h', 'm', 's', 'ms'].find((name) => ms % unitsMs[name]! === 0 && ms >= unitsMs[name]!) ?? 'ms';
  return `${ms / unitsMs[unit]!}${unit}`;
}
