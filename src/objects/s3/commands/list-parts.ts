import type { ContentPart } from '../../object.ts';
import { standardClass } from '../../storage-class.ts';
import type { S3Command, XmlElement } from '../command.ts';
import { formatXmlTime } from '../http-time.ts';
import { parseCount, parseLimit } from '../listing/list-parameters.ts';
import { uploadRef } from '../upload-ref.ts';
import { leaf } from '../xml/writer.ts';

const limitMax = 1000;

export const listParts: S3Command = {
  name: 'ListParts',
  method: 'GET',
  resource: 'object',
  selectedBy: ['uploadId'],
  alsoTakes: ['max-parts', 'part-number-marker'],
  action: 's3:ListMultipartUploadParts',
  handle: async (context) => {
    const { gateway, bucket, key, query } = context;
    const ref = uploadRef(context);
    const limit = parseLimit(query, 'max-parts', limitMax);
    const after = parseCount('part-number-marker', query.get('part-number-marker') || undefined) ?? 0;
    const upload = await gateway.uploads.get(ref);
    // One more than the page tells whether there is another.
    const found = limit === 0 ? [] : await gateway.uploads.listParts(ref, { after, limit: limit + 1 });
    const shown = found.slice(0, limit);
    const user = [leaf('ID', upload.owner), leaf('DisplayName', upload.owner)];
    const children: XmlElement[] = [
      leaf('Bucket', bucket.name),
      leaf('Key', key),
      leaf('UploadId', ref.uploadId),
      { name: 'Initiator', children: user },
      { name: 'Owner', children: user },
      leaf('StorageClass', upload.storageClass ?? standardClass),
      leaf('PartNumberMarker', after),
    ];
    if (found.length > limit) children.push(leaf('NextPartNumberMarker', shown.at(-1)!.part));
    children.push(leaf('MaxParts', limit), leaf('IsTruncated', found.length > limit));
    if (upload.checksum !== null) {
      children.push(leaf('ChecksumAlgorithm', upload.checksum.algorithm), leaf('ChecksumType', upload.checksum.type));
    }
    return { status: 200, body: { name: 'ListPartsResult', children: [...children, ...shown.map(entry)] } };
  },
};

function entry({ part, modifiedAtMs, etag, sizeBytes, checksums }: ContentPart): XmlElement {
  const children = [
    leaf('PartNumber', part),
    leaf('LastModified', formatXmlTime(modifiedAtMs)),
    leaf('ETag', `"${etag}"`),
    leaf('Size', sizeBytes),
    ...checksums.map(({ algorithm, value }) => leaf(`Checksum${algorithm}`, value)),
  ];
  return { name: 'Part', children };
}
