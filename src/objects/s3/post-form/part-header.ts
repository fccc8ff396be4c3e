import { malformedForm } from './malformed-form.ts';

/** What stands before a part's content. */
export interface PartHeader {
  readonly name: string;
  /** The last segment of the path that a browser may send; `undefined` for a part that is no file. */
  readonly fileName: string | undefined;
}

/** The boundary in a `Content-Type` of `multipart/form-data` (RFC 2046, 5.1.1); `null` for any other type. */
export function parseBoundary(contentType: string | undefined): string | null {
  const [, parameters] = /^\s*multipart\/form-data\s*(;.*)$/is.exec(contentType ?? '') ?? [];
  if (parameters === undefined) return null;
  const boundary = parametersIn(parameters).get('boundary') ?? '';
  if (!/^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/.test(boundary)) throw malformedForm('The boundary is not valid.');
  return boundary;
}

/** Reads the header lines of a part (RFC 7578, 4). Throws `MalformedPOSTRequest`. */
export function parsePartHeader(text: string): PartHeader {
  const lines = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const [, name, value] = /^([\w-]+):[\t ]*([^\r\n]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw malformedForm('A part has a header that is not one.');
    if (lines.has(name.toLowerCase())) throw malformedForm(`A part has ${name} twice.`);
    lines.set(name.toLowerCase(), value);
  }
  const [, parameters] = /^form-data\s*(;.*)$/is.exec(lines.get('content-disposition') ?? '') ?? [];
  if (parameters === undefined) throw malformedForm('A part has no Content-Disposition of form-data.');
  if (!/^(?:binary|[78]bit)?$/i.test(lines.get('content-transfer-encoding') ?? '')) {
    throw malformedForm('Parts are sent as they are, without a transfer encoding.');
  }
  const found = parametersIn(parameters);
  const name = found.get('name');
  if (name === undefined || name === '') throw malformedForm('A part has no name.');
  const path = found.get('filename');
  return { name, fileName: path?.replace(/^.*[/\\]/s, '') };
}

/** Parameters by name in lower case. Browsers write quotation marks as `%22`, other clients put a backslash before them. */
function parametersIn(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  const one = /\s*;\s*([\w*-]+)=(?:"((?:\\"|[^"])*)"|([^\s";]*))\s*/y;
  while (one.lastIndex < text.length) {
    const [, name, quoted, bare] = one.exec(text) ?? [];
    if (name === undefined) throw malformedForm('A header of the form has parameters that cannot be read.');
    const value = quoted?.replaceAll('\\"', '"') ?? bare ?? '';
    if (parameters.has(name.toLowerCase())) throw malformedForm('A header of the form has a parameter twice.');
    parameters.set(name.toLowerCase(), value);
  }
  return parameters;
}
