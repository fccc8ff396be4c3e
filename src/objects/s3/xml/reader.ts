import { XMLParser, XMLValidator } from 'fast-xml-parser';
import type { XmlElement } from '../command.ts';
import { isSpeakable } from './escape.ts';
import { malformed as unexpected } from './find.ts';

/** No document of S3 is deeper than 8; a bound keeps hostile ones from costing memory. */
const depthMax = 32;

/**
 * Tags and attributes cost microseconds each. The longest document of S3, a list of 10,000 parts, has at most 240,000 of
 * them.
 */
const markupMax = 250_000;

const parser = new XMLParser({
  preserveOrder: true,
  removeNSPrefix: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  // White space is part of a key.
  trimValues: false,
  // Ours below: the five of XML and numbers, never one that a document declares.
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  cdataPropName: '#cdata',
  // It counts the levels above an element.
  maxNestedTags: depthMax - 1,
});

/** A node as the parser gives it: one key that is its name, and `:@` for attributes. */
type Node = Readonly<Record<string, unknown>>;

/**
 * Parses a document. Names are without their namespace prefixes, white space between elements is dropped, and that in an
 * element without children is kept. Throws `MalformedXML` for anything that is not well-formed, for document type
 * declarations (and with them every entity of its own), and for more than 32 levels or 250,000 tags and attributes.
 */
export function parseXml(text: string): XmlElement {
  const document = text.startsWith('\ufeff') ? text.slice(1) : text;
  refuseTooMuch(document);
  refuseDeclarations(document);
  if (!isSpeakable(document)) throw malformed('It has characters that XML does not allow.');
  let nodes: readonly Node[];
  try {
    const validity = XMLValidator.validate(document);
    if (validity !== true) throw malformed(validity.err.msg);
    nodes = parser.parse(document) as readonly Node[];
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error));
  }
  const roots = nodes.filter((node) => nameOf(node) !== '#text');
  // The validator lets `<a/><b/>` and `<a/>text` pass.
  if (roots.length !== 1 || !document.trimEnd().endsWith('>')) {
    throw malformed('It needs one root element and nothing after it.');
  }
  return toElement(roots[0]!);
}

function malformed(reason: string): Error {
  return unexpected(reason.slice(0, 200));
}

/** Every tag begins with `<`, and every attribute has a `=`. */
function refuseTooMuch(text: string): void {
  if (text.length <= markupMax) return;
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x3c || code === 0x3d) count++;
  }
  if (count > markupMax) throw malformed('It has more elements than any document of S3.');
}

/** Only comments and character data may begin with `<!`. What stands inside them is not markup. */
function refuseDeclarations(text: string): void {
  for (let at = text.indexOf('<!'); at >= 0;) {
    const end = text.startsWith('<!--', at) ? '-->' : text.startsWith('<![CDATA[', at) ? ']]>' : null;
    if (end === null) throw malformed('Document type declarations are not taken.');
    const closing = text.indexOf(end, at + 4);
    if (closing < 0) throw malformed('A comment or a character data section does not end.');
    at = text.indexOf('<!', closing + end.length);
  }
}

function nameOf(node: Node): string {
  for (const name of Object.keys(node)) if (name !== ':@') return name;
  return '#text';
}

/** The parser has bounded the depth. */
function toElement(node: Node): XmlElement {
  const name = nameOf(node);
  const children: XmlElement[] = [];
  let text = '';
  for (const inner of node[name] as readonly Node[]) {
    const kind = nameOf(inner);
    if (kind === '#text') text += decodeReferences(String(inner['#text'] ?? ''));
    else if (kind === '#cdata') text += textOfCdata(inner);
    else children.push(toElement(inner));
  }
  const attributes = attributesOf(node);
  if (children.length === 0) return { name, ...attributes, text };
  if (text.trim() !== '') throw malformed(`There is text beside the elements of ${name}.`);
  return { name, ...attributes, children };
}

function textOfCdata(node: Node): string {
  let text = '';
  for (const inner of node['#cdata'] as readonly Node[]) text += String(inner['#text'] ?? '');
  return text;
}

function attributesOf(node: Node): { attributes?: Readonly<Record<string, string>> } {
  const found = node[':@'];
  if (found === undefined) return {};
  const entries = Object.entries(found as Readonly<Record<string, unknown>>);
  return { attributes: Object.fromEntries(entries.map(([key, value]) => [key, decodeReferences(String(value))])) };
}

const named: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

/** The references of XML itself; every other one, and one to a character that XML does not allow, is malformed. */
function decodeReferences(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(/&([^;&]*);?/g, (whole, name: string) => {
    const known = whole.endsWith(';') ? (named.get(name) ?? characterOf(name)) : undefined;
    if (known === undefined) throw malformed(`The reference ${whole.slice(0, 40)} is not known.`);
    return known;
  });
}

function characterOf(name: string): string | undefined {
  const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name) ?? [];
  const code = hex === undefined ? Number(decimal ?? Number.NaN) : Number.parseInt(hex, 16);
  if (Number.isNaN(code) || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  const character = String.fromCodePoint(code);
  return isSpeakable(character) ? character : undefined;
}
