import { checksumAlgorithms, checksumHeader } from '../../checksums/algorithm.ts';
import { parseChecksumType } from '../../checksums/multipart.ts';
import { objectError } from '../../errors.ts';
import type { CompleteRequest } from '../../gateway.ts';
import type { ObjectChecksum, ObjectVersion } from '../../object.ts';
import type { S3Command, S3Context, S3Reply, XmlElement } from '../command.ts';
import { parseConditions, parseEtags } from '../conditions.ts';
import { addEncryptionHeaders } from '../encryption-headers.ts';
import { parseCount } from '../listing/list-parameters.ts';
import { encodePath } from '../signature/uri.ts';
import { uploadRef } from '../upload-ref.ts';
import { checksumLeaves } from '../xml/checksums.ts';
import { childrenOf, expectElement, integerIn, malformed, requiredText, textIn } from '../xml/find.ts';
import { leaf } from '../xml/writer.ts';

const partsMax = 10_000;
/** Parts with all their checksums have some 400 bytes each. */
const xmlBytesMax = 8_388_608;

type Part = CompleteRequest['parts'][number];

export const completeMultipartUpload: S3Command = {
  name: 'CompleteMultipartUpload',
  method: 'POST',
  resource: 'object',
  selectedBy: ['uploadId'],
  alsoTakes: [],
  action: 's3:PutObject',
  handle: async (context) => {
    const { gateway, actor } = context;
    const ref = uploadRef(context);
    const conditions = parseConditions((name) => context.header(name));
    const size = context.header('x-amz-mp-object-size');
    const checksum = checksumIn(context);
    const parts = parseParts(await context.xml(xmlBytesMax, 'object'));
    const request = {
      ...ref,
      parts,
      conditions,
      actor,
      ...(checksum === undefined ? {} : { checksum }),
      ...(size === undefined ? {} : { sizeBytes: parseSize(size) }),
    };
    return { status: 200, work: async () => answer(context, await gateway.uploads.complete(request)) };
  },
};

function parseParts(root: XmlElement): readonly Part[] {
  const elements = childrenOf(expectElement(root, 'CompleteMultipartUpload', ['Part']), 'Part');
  if (elements.length === 0 || elements.length > partsMax) {
    throw objectError('MalformedXML', { reason: `There must be 1 to ${partsMax} parts.` });
  }
  const parts = elements.map(parsePart);
  for (const [index, { part }] of parts.entries()) {
    if (index > 0 && part <= parts[index - 1]!.part) throw objectError('InvalidPartOrder', { part_number: part });
  }
  return parts;
}

function parsePart(element: XmlElement): Part {
  const part = integerIn(element, 'PartNumber');
  if (part === undefined) throw malformed('Part needs a PartNumber.');
  if (part < 1 || part > partsMax) {
    throw objectError('InvalidArgument', { argument: 'partNumber' }, `PartNumber is from 1 to ${partsMax}.`);
  }
  const [etag] = parseEtags(requiredText(element, 'ETag'), 'strong');
  if (etag === undefined) throw objectError('InvalidPart', { part_number: part });
  for (const algorithm of checksumAlgorithms) {
    const value = textIn(element, `Checksum${algorithm}`);
    // A part has the one checksum that its upload was created for.
    if (value !== undefined && value !== '') return { part, etag, checksum: { algorithm, value, type: 'FULL_OBJECT' } };
  }
  return { part, etag };
}

/** What the client says of the whole object. */
function checksumIn(context: S3Context): ObjectChecksum | undefined {
  for (const algorithm of checksumAlgorithms) {
    const value = context.header(checksumHeader(algorithm));
    if (value === undefined) continue;
    const given = context.header('x-amz-checksum-type');
    const type = given === undefined && value.includes('-') ? 'COMPOSITE' : parseChecksumType(algorithm, given);
    return { algorithm, value, type };
  }
  return undefined;
}

function parseSize(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return parseCount('x-amz-mp-object-size', text)!;
}

function answer({ bucket, key, request }: S3Context, version: ObjectVersion): S3Reply {
  const headers: Record<string, string> =
    bucket.settings.versioning === 'off' ? {} : { 'x-amz-version-id': version.versionId };
  addEncryptionHeaders(version.attributes.encryption, undefined, headers);
  const children = [
    leaf('Location', `http://${request.headers.host ?? ''}/${bucket.name}/${encodePath(key)}`),
    leaf('Bucket', bucket.name),
    leaf('Key', key),
    leaf('ETag', `"${version.etag}"`),
    ...checksumLeaves(version.attributes.checksums),
  ];
  return { status: 200, headers, body: { name: 'CompleteMultipartUploadResult', children } };
}
