import { objectError } from '../../errors.ts';
import type { UploadPage } from '../../gateway.ts';
import type { Upload } from '../../object.ts';
import { standardClass } from '../../storage-class.ts';
import type { S3Command } from '../command.ts';
import { formatXmlTime } from '../http-time.ts';
import { type NameText, nameTag, nameText, ownerText, prefixesText } from '../listing/entry-text.ts';
import { type ListParameters, listKeys, parseListParameters } from '../listing/list-parameters.ts';
import { tag } from '../xml/writer.ts';
import { listDocument } from './list-objects.ts';

export const listMultipartUploads: S3Command = {
  name: 'ListMultipartUploads',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['uploads'],
  alsoTakes: [...listKeys, 'max-uploads', 'key-marker', 'upload-id-marker'],
  action: 's3:ListBucketMultipartUploads',
  handle: async ({ gateway, bucket, query }) => {
    const parameters = parseListParameters(query, 'max-uploads');
    const { prefix, delimiter, limit } = parameters;
    const key = query.get('key-marker') ?? '';
    // Without a key the other marker says nothing, as S3 has it.
    const uploadId = key === '' ? '' : (query.get('upload-id-marker') ?? '');
    if (uploadId.length > 256) throw objectError('InvalidArgument', { argument: 'upload-id-marker' });
    const after = key === '' ? null : { key, ...(uploadId === '' ? {} : { uploadId }) };
    const page: UploadPage =
      limit === 0
        ? { uploads: [], prefixes: [], isTruncated: false, next: null }
        : await gateway.uploads.list({ bucket: bucket.name, prefix, delimiter, after, limit });
    return { status: 200, body: render(bucket.name, { key, uploadId }, parameters, page) };
  },
};

function render(
  bucket: string,
  marker: { readonly key: string; readonly uploadId: string },
  { prefix, delimiter, limit, isUrlEncoded }: ListParameters,
  { uploads, prefixes, isTruncated, next }: UploadPage,
): string {
  const keys = uploads.map(({ key }) => key);
  const names = nameText(isUrlEncoded, [...keys, ...prefixes, prefix, delimiter ?? '', marker.key]);
  let text = tag('Bucket', bucket) + nameTag('KeyMarker', marker.key, names) + tag('UploadIdMarker', marker.uploadId);
  if (next !== null) text += nameTag('NextKeyMarker', next.key, names) + tag('NextUploadIdMarker', next.uploadId);
  text += nameTag('Prefix', prefix, names);
  if (delimiter !== null) text += nameTag('Delimiter', delimiter, names);
  text += tag('MaxUploads', limit);
  if (names.isUrlEncoded) text += tag('EncodingType', 'url');
  text += tag('IsTruncated', isTruncated);
  for (const upload of uploads) text += entry(upload, names);
  return listDocument('ListMultipartUploadsResult', text + prefixesText(prefixes, names));
}

function entry(
  { key, uploadId, owner, createdAtMs, checksum, storageClass = standardClass }: Upload,
  names: NameText,
): string {
  let text = nameTag('Key', key, names) + tag('UploadId', uploadId);
  text += ownerText('Initiator', owner) + ownerText('Owner', owner) + tag('StorageClass', storageClass);
  text += tag('Initiated', formatXmlTime(createdAtMs));
  if (checksum !== null) text += tag('ChecksumAlgorithm', checksum.algorithm) + tag('ChecksumType', checksum.type);
  return `<Upload>${text}</Upload>`;
}
