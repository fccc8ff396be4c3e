import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { garbage, splitResponses } from './response-splitter.ts';

/** What a server says of one file or collection. */
export interface DavResource {
  /** Decoded path of the URL, with a slash at its end only where the server put one. */
  readonly path: string;
  readonly isCollection: boolean;
  readonly sizeBytes: number | null;
  /** 0 where the server does not tell. */
  readonly modifiedAtMs: number;
  /** RFC 4331; `null` where the server does not tell. */
  readonly availableBytes: number | null;
  readonly usedBytes: number | null;
}

const DAV = 'DAV:';
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  parseAttributeValue: false,
  // Without a document type only the five entities of XML itself and character references are left.
  processEntities: true,
});

/** Name and value of an element. The parser gives text, an object of children and attributes, or a list of these. */
type Node = unknown;

/** Reads the body of a 207 as it comes. */
export async function* readMultistatus(chunks: AsyncIterable<Buffer>, who: string): AsyncGenerator<DavResource> {
  for await (const document of splitResponses(chunks, who)) {
    const resource = resourceOf(document, who);
    if (resource !== null) yield resource;
  }
}

function resourceOf(document: string, who: string): DavResource | null {
  const root = children(parse(document, who), 'multistatus', new Map())[0];
  const response = root === undefined ? undefined : children(root.node, 'response', root.scope)[0];
  if (response === undefined) throw garbage(who, 'has a response outside of DAV:');
  const href = textOf(children(response.node, 'href', response.scope)[0]?.node);
  if (href === null) throw garbage(who, 'names nothing');
  const path = pathOfHref(href, who);
  const found = children(response.node, 'propstat', response.scope).filter(isFound);
  const properties = found.flatMap(({ node, scope }) => children(node, 'prop', scope));
  if (properties.length === 0) return null;
  const property = (name: string) => properties.flatMap(({ node, scope }) => children(node, name, scope))[0];
  const type = property('resourcetype');
  const modifiedAtMs = Date.parse(textOf(property('getlastmodified')?.node) ?? '');
  return {
    path,
    isCollection: type !== undefined && children(type.node, 'collection', type.scope).length > 0,
    sizeBytes: bytesOf(property('getcontentlength')?.node),
    modifiedAtMs: Number.isNaN(modifiedAtMs) ? 0 : modifiedAtMs,
    availableBytes: bytesOf(property('quota-available-bytes')?.node),
    usedBytes: bytesOf(property('quota-used-bytes')?.node),
  };
}

function parse(document: string, who: string): Node {
  try {
    if (XMLValidator.validate(document) === true) return parser.parse(document);
  } catch {
    // Too deep, or otherwise not for us.
  }
  throw garbage(who, 'is not well-formed XML');
}

type Scope = ReadonlyMap<string, string>;
interface Element {
  readonly node: Node;
  /** Prefixes of namespaces that hold inside; the empty one is the default. */
  readonly scope: Scope;
}

/** The children of this name in DAV:, whatever their prefix. */
function children(node: Node, localName: string, outer: Scope): Element[] {
  if (typeof node !== 'object' || node === null) return [];
  const found: Element[] = [];
  for (const [name, value] of Object.entries(node)) {
    const [, prefix = '', local] = /^(?:([^:]*):)?([^:]*)$/.exec(name) ?? [];
    if (local !== localName) continue;
    for (const child of Array.isArray(value) ? (value as Node[]) : [value as Node]) {
      const scope = scopeOf(child, outer);
      if (scope.get(prefix) === DAV) found.push({ node: child, scope });
    }
  }
  return found;
}

function scopeOf(node: Node, outer: Scope): Scope {
  if (typeof node !== 'object' || node === null) return outer;
  const declared = Object.entries(node).filter(([name]) => /^@xmlns(:|$)/.test(name));
  if (declared.length === 0) return outer;
  return new Map([
    ...outer,
    ...declared.map(([name, value]) => [name.slice('@xmlns:'.length), String(value)] as const),
  ]);
}

function isFound({ node, scope }: Element): boolean {
  const status = textOf(children(node, 'status', scope)[0]?.node);
  return status !== null && /^HTTP\/[\d.]+ 2\d\d\b/.test(status);
}

function textOf(node: Node): string | null {
  if (typeof node === 'string') return node.trim();
  const text = (node as { '#text'?: unknown } | null | undefined)?.['#text'];
  return typeof text === 'string' ? text.trim() : null;
}

function bytesOf(node: Node): number | null {
  const text = textOf(node);
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/**
 * The path of an absolute URL or of a path (RFC 4918 §8.3). A server behind a proxy names itself by a host and scheme of
 * its own, so only the path counts; it is never gone to.
 */
function pathOfHref(href: string, who: string): string {
  const url = URL.parse(href, 'http://server');
  if (url === null) throw garbage(who, 'names something that is no URL');
  try {
    return decodeURIComponent(url.pathname);
  } catch {
    throw garbage(who, 'names something that is no URL');
  }
}
