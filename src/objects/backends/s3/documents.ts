import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { XmlElement } from '../../s3/command.ts';
import { parseXml } from '../../s3/xml/reader.ts';

/** What an S3 server says in the body of a refusal. Each field is `null` where it does not tell. */
export interface S3ErrorBody {
  readonly code: string | null;
  readonly region: string | null;
}

const noError: S3ErrorBody = { code: null, region: null };

/** What XML 1.0 has no form for, as it is or as a reference; some servers repeat such a marker of ours all the same. */
const unspeakable =
  /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|&#(?:x0*(?:[0-8bcef]|1[0-9a-f]|fff[ef])|0*(?:[0-8]|1[124-9]|2\d|3[01]));/giu;

/**
 * Parses the document of an answer. The parser takes no document types and so no entities of their own. What XML cannot
 * carry becomes U+FFFD, which `decodeListed` refuses in keys.
 *
 * @throws HoldfastError `backend` for what is not XML.
 */
export function parseDocument(text: string, who: string): XmlElement {
  try {
    // A long answer begins with white space, sent to keep the connection alive, even before its declaration.
    return parseXml(text.trimStart().replaceAll(unspeakable, '\ufffd'));
  } catch (error) {
    throw garbage(who, 'is not the XML of S3', error);
  }
}

/** All children of a name, in order. */
export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children?.filter((child) => child.name === name) ?? [];
}

/** The text of the first child of a name, `null` without one. */
export function textIn(element: XmlElement, name: string): string | null {
  return childrenOf(element, name)[0]?.text ?? null;
}

/** The text of a child that must be there. */
export function requiredText(element: XmlElement, name: string, who: string): string {
  const text = textIn(element, name);
  if (text === null) throw garbage(who, `has no ${name} in its ${element.name.slice(0, 64)}`);
  return text;
}

/** Code and region of an `Error` document. Whatever else a server or a proxy sends with a refusal tells nothing. */
export function parseErrorBody(text: string): S3ErrorBody {
  if (text.trim() === '') return noError;
  try {
    const root = parseXml(text.trimStart());
    return root.name === 'Error' ? errorIn(root) : noError;
  } catch {
    return noError;
  }
}

/** Only what looks like a code or a region, since both become part of our sentences. */
export function errorIn(root: XmlElement): S3ErrorBody {
  const wordOf = (name: string): string | null => /^[\w.-]{1,64}$/.exec(textIn(root, name) ?? '')?.[0] ?? null;
  return { code: wordOf('Code'), region: wordOf('Region') };
}

export function garbage(who: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('backend', `${who} gave an answer that ${what}.`, { reason: 'garbage' }, cause);
}
