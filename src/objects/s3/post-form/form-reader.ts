import { type Content, chunksOf } from '../../content/content.ts';
import { objectError } from '../../errors.ts';
import { ByteSource } from './byte-source.ts';
import { malformedForm } from './malformed-form.ts';
import { type PartHeader, parsePartHeader } from './part-header.ts';

/** A form up to its file, which is its last field. */
export interface Form {
  /** By name in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  readonly file: FormFile;
}

export interface FormFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Ends cleanly only when all of the file came, and nothing after it but the end of the form. */
  readonly content: AsyncIterable<Buffer>;
}

/** Of all that comes before the file's content, in bytes, as on AWS. */
const headBytesMax = 20_480;

/**
 * Reads a form (RFC 7578) of `sizeBytes` up to its file, and no further: the file is read by whoever takes it.
 *
 * How long the file is nobody says, but the room of an object is claimed before its bytes come. So the file must be the last
 * field: its length is then what is left of the form without the closing line. Fields behind it, which AWS ignores, are
 * refused. The closing line ends with a line break, as nearly every client writes it; one that lacks it is known only in a
 * form that is here whole.
 *
 * Throws `MalformedPOSTRequest`, and `MaxMessageLengthExceeded` for more than 20 KiB before the file.
 */
export async function readForm(content: Content, sizeBytes: number, boundary: string): Promise<Form> {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  const source = new ByteSource(chunksOf(content), headBytesMax);
  const fields = new Map<string, string>();
  await source.until(delimiter);
  for (;;) {
    const header = await nextHeader(source);
    if (header === null) throw objectError('InvalidArgument', { argument: 'file' }, 'The form has no file.');
    const name = header.name.toLowerCase();
    if (name === 'file') {
      const file = fileOf(source, { content, sizeBytes, delimiter, fileName: header.fileName ?? '' });
      return { fields, file };
    }
    if (fields.has(name)) throw malformedForm(`The field ${header.name.slice(0, 100)} stands twice.`);
    fields.set(name, decode(await source.until(delimiter)));
  }
}

/** What stands after a delimiter: a part, or the end of the form. */
async function nextHeader(source: ByteSource): Promise<PartHeader | null> {
  const after = (await source.exactly(2)).toString('latin1');
  if (after === '--') return null;
  if (after !== '\r\n') throw malformedForm('A boundary is followed by something else than a line break.');
  return parsePartHeader(decode(await source.until(Buffer.from('\r\n\r\n'))));
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformedForm('A field is not UTF-8.');
  }
}

function fileOf(
  source: ByteSource,
  form: {
    readonly content: Content;
    readonly sizeBytes: number;
    readonly delimiter: Buffer;
    readonly fileName: string;
  },
): FormFile {
  const { content, delimiter } = form;
  const bare = Buffer.concat([delimiter, Buffer.from('--')]);
  const isBare = Buffer.isBuffer(content) && content.subarray(-bare.length).equals(bare);
  const closing = isBare ? bare : Buffer.concat([bare, Buffer.from('\r\n')]);
  const sizeBytes = form.sizeBytes - source.takenBytes - closing.length;
  if (sizeBytes < 0) throw malformedForm('The form does not end with its boundary.');
  return { name: form.fileName, sizeBytes, content: fileContent(source, sizeBytes, delimiter, closing) };
}

async function* fileContent(
  source: ByteSource,
  sizeBytes: number,
  delimiter: Buffer,
  closing: Buffer,
): AsyncGenerator<Buffer> {
  let leftBytes = sizeBytes;
  let before: Buffer = Buffer.alloc(0);
  while (leftBytes > 0) {
    const chunk = await source.atMost(leftBytes);
    // A delimiter may begin in one chunk and end in the next. It begins with a line break and a boundary has none, so that
    // one which is not over when the file is cannot be there.
    const seam = Buffer.concat([before, chunk.subarray(0, delimiter.length - 1)]);
    if (seam.includes(delimiter) || chunk.includes(delimiter)) {
      throw malformedForm('The file must be the last field of the form.');
    }
    const reach = 1 - delimiter.length;
    before = chunk.length >= -reach ? chunk.subarray(reach) : Buffer.concat([before, chunk]).subarray(reach);
    leftBytes -= chunk.length;
    yield chunk;
  }
  const end = await source.exactly(closing.length);
  if (!end.equals(closing) || !(await source.isAtEnd())) {
    throw malformedForm('The form does not end with its boundary and a line break right after the file.');
  }
}
