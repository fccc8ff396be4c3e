/**
 * A time as XML and forms carry it (ISO 8601), as milliseconds since the epoch; `null` for anything else. A date alone is
 * its midnight, and what names no zone is UTC.
 */
export function parseTime(text: string): number | null {
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text.trim());
  if (match === null) return null;
  const [, date = '', time = '00:00', zone = 'Z'] = match;
  // The language rounds 30 February up to March; here it is no date.
  const midnight = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== date) return null;
  const timeMs = Date.parse(`${date}T${time}${zone}`);
  return Number.isNaN(timeMs) ? null : timeMs;
}
