const fixed = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const rfc850 = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** A time of HTTP in any of its three forms (RFC 9110, 5.6.7), in milliseconds since 1970; `undefined` for all else. */
export function parseHttpTime(text: string): number | undefined {
  const isDated = fixed.test(text) || rfc850.test(text);
  if (!isDated && !asctime.test(text)) return undefined;
  const timeMs = Date.parse(isDated ? text : `${text} GMT`);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** The form in which a header has a time: whole seconds, of which the fraction is dropped. */
export function formatHttpTime(timeMs: number): string {
  return new Date(timeMs).toUTCString();
}

/** As XML has a time: ISO 8601 with milliseconds. */
export function formatXmlTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
