/**
 * Whether a text is what a pattern stands for: `*` is any number of characters, `?` is exactly one. Only the last `*` is
 * ever taken back, which is enough for globs, so the time is bounded by the product of the two lengths, whatever the pattern.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  let [inPattern, inText] = [0, 0];
  let [lastStar, heldFrom] = [-1, 0];
  while (inText < text.length) {
    const wanted = pattern[inPattern];
    if (wanted === '*') {
      lastStar = inPattern++;
      heldFrom = inText;
    } else if (wanted === '?') {
      inPattern += 1;
      inText += widthAt(text, inText);
    } else if (wanted === text[inText]) {
      inPattern += 1;
      inText += 1;
    } else if (lastStar >= 0) {
      heldFrom += widthAt(text, heldFrom);
      inPattern = lastStar + 1;
      inText = heldFrom;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === '*') inPattern += 1;
  return inPattern === pattern.length;
}

/** A character beyond the first 65,536 is two units of a string, and still one for `?`. */
function widthAt(text: string, index: number): number {
  return text.codePointAt(index)! > 0xff_ff ? 2 : 1;
}
