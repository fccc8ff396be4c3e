import type { XmlElement } from '../command.ts';
import { escapeXml } from './escape.ts';

export const xmlDeclaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** The namespace of every document of S3 that has one (https://docs.aws.amazon.com/AmazonS3/latest/API/). */
export const s3Namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** A whole document. The root gets the namespace of S3 unless it brings attributes, or says by none that it has none. */
export function writeDocument(root: XmlElement): string {
  return xmlDeclaration + writeRoot(root);
}

/** The document without its declaration, for an answer that has begun already. */
export function writeRoot(root: XmlElement): string {
  return writeElement(root.attributes === undefined ? { ...root, attributes: { xmlns: s3Namespace } } : root);
}

/** An element with text. */
export function leaf(name: string, text: string | number | boolean): XmlElement {
  return { name, text: String(text) };
}

/** `<name>text</name>`, for documents that are put together as text because they are long. */
export function tag(name: string, text: string | number | boolean): string {
  return `<${name}>${typeof text === 'string' ? escapeXml(text) : text}</${name}>`;
}

/** Trees come from our own commands and are shallow, so recursion is bounded. */
function writeElement({ name, attributes, text, children }: XmlElement): string {
  let open = name;
  if (attributes !== undefined) {
    for (const [key, value] of Object.entries(attributes)) open += ` ${key}="${escapeXml(value)}"`;
  }
  if (children !== undefined && children.length > 0) {
    let inner = '';
    for (const child of children) inner += writeElement(child);
    return `<${open}>${inner}</${name}>`;
  }
  return text === undefined || text === '' ? `<${open}/>` : `<${open}>${escapeXml(text)}</${name}>`;
}
