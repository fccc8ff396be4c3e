/** All that XML 1.0 can carry (https://www.w3.org/TR/xml/#charsets): the rest has no form, not even a reference. */
const unspeakable = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const everyUnspeakable = new RegExp(unspeakable, 'gu');
const special = /[&<>"\r]|[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** Whether XML can carry this text unchanged. */
export function isSpeakable(text: string): boolean {
  return !unspeakable.test(text);
}

/**
 * Text for an element or a quoted attribute. A carriage return is written as a reference, since parsers turn a literal one
 * into a line feed; what XML cannot carry becomes U+FFFD.
 */
export function escapeXml(text: string): string {
  // Most text needs nothing, and one test costs less than five replacements.
  if (!special.test(text)) return text;
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;')
    .replace(everyUnspeakable, '\ufffd');
}
