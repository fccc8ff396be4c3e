import { HoldfastError } from '../../../kernel/errors/errors.ts';

/** What one file or directory may take in a listing. */
const RESPONSE_CHARACTERS_MAX = 262_144;
/** What a whole listing may take; enough for some millions of entries. */
const LISTING_BYTES_MAX = 4 * 1024 ** 3;

const responseStart = /<(?:[\w.-]+:)?response[\s>]/;
const responseEnd = /<\/(?:[\w.-]+:)?response\s*>/g;
const rootStart = /<(?:[\w.-]+:)?multistatus(?:\s[^<>]*)?>\s*$/;
const rootEnd = /<\/([\w.-]+:)?multistatus\s*>\s*$/;
const emptyRoot = /<(?:[\w.-]+:)?multistatus(?:\s[^<>]*)?\/>\s*$/;
/** `<!` begins comments, CDATA, and what is refused: document types and their entities. */
const declaration = /<!(?!--|\[CDATA\[)/;

/**
 * Cuts the body of a 207 (RFC 4918 §13) into documents of one `response` each, inside the root element that they had, so
 * that a listing of any length is read in little memory. A cut in the wrong place, such as inside a comment that
 * plays a tag, makes a document that is not well-formed, which the parser then refuses.
 *
 * @throws HoldfastError `backend` for what is too large, has a document type, or ends before the root does.
 */
export async function* splitResponses(chunks: AsyncIterable<Buffer>, who: string): AsyncGenerator<string> {
  let root: string | null = null;
  let rest = '';
  for await (const text of decoded(chunks, who)) {
    rest += text;
    if (root === null) {
      const start = responseStart.exec(rest)?.index;
      if (start === undefined && rest.length > RESPONSE_CHARACTERS_MAX) throw garbage(who, 'has no response in it');
      if (start === undefined) continue;
      root = openingOf(rest.slice(0, start), who);
      rest = rest.slice(start);
    }
    responseEnd.lastIndex = 0;
    let cut = 0;
    while (responseEnd.exec(rest) !== null) {
      yield checked(`${root}${rest.slice(cut, responseEnd.lastIndex)}${closingOf(root)}`, who);
      cut = responseEnd.lastIndex;
    }
    rest = rest.slice(cut);
    if (rest.length > RESPONSE_CHARACTERS_MAX) throw garbage(who, 'has a response that is too long');
  }
  checked(rest, who);
  const isWhole = rootEnd.test(rest) || (root === null && emptyRoot.test(rest));
  if (!isWhole) throw garbage(who, 'breaks off before its end');
}

async function* decoded(chunks: AsyncIterable<Buffer>, who: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > LISTING_BYTES_MAX) throw garbage(who, 'is too long');
    yield decode(decoder, chunk, who);
  }
  yield decode(decoder, null, who);
}

function decode(decoder: InstanceType<typeof TextDecoder>, chunk: Buffer | null, who: string): string {
  try {
    return chunk === null ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch {
    throw garbage(who, 'is not UTF-8');
  }
}

/** The opening tag of the root, with its namespaces. */
function openingOf(head: string, who: string): string {
  const [opening] = rootStart.exec(checked(head, who)) ?? [];
  if (opening === undefined) throw garbage(who, 'does not begin with a multistatus');
  return opening.trimEnd();
}

function closingOf(opening: string): string {
  return `</${/^<([\w.:-]+)/.exec(opening)?.[1] ?? ''}>`;
}

function checked(text: string, who: string): string {
  if (declaration.test(text)) throw garbage(who, 'has a document type, which is refused');
  return text;
}

export function garbage(who: string, what: string): HoldfastError {
  return new HoldfastError('backend', `${who} gave a listing that ${what}.`, { reason: 'garbage' });
}
