import { objectError } from '../../errors.ts';
import type { ListPosition, ObjectPage } from '../../gateway.ts';
import type { ObjectVersion } from '../../object.ts';
import type { S3Command, S3Context } from '../command.ts';
import { formatXmlTime } from '../http-time.ts';
import { type NameText, contentText, nameTag, nameText, ownerText, prefixesText } from '../listing/entry-text.ts';
import { type ListParameters, listKeys, parseListParameters, positionAfter } from '../listing/list-parameters.ts';
import { tag } from '../xml/writer.ts';
import { listDocument } from './list-objects.ts';

export const listObjectVersions: S3Command = {
  name: 'ListObjectVersions',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['versions'],
  alsoTakes: [...listKeys, 'max-keys', 'key-marker', 'version-id-marker'],
  action: 's3:ListBucketVersions',
  handle: async (context) => {
    const { gateway, bucket, query } = context;
    const parameters = parseListParameters(query, 'max-keys');
    const { prefix, delimiter, limit } = parameters;
    const after = positionOf(query, parameters);
    const page: ObjectPage =
      limit === 0
        ? { versions: [], prefixes: [], isTruncated: false, next: null }
        : await gateway.objects.listVersions({ bucket: bucket.name, prefix, delimiter, after, limit });
    return { status: 200, body: render(context, parameters, page) };
  },
};

/** A key alone stands for all its versions; with a version, the page goes on within them. */
function positionOf(query: ReadonlyMap<string, string>, parameters: ListParameters): ListPosition | null {
  const key = query.get('key-marker') ?? '';
  const versionId = query.get('version-id-marker') ?? '';
  if (versionId === '') return positionAfter(key, parameters);
  if (key !== '') return { key, versionId, isPrefix: false };
  const message = 'A version-id marker cannot be specified without a key marker.';
  throw objectError('InvalidArgument', { argument: 'version-id-marker', value: versionId.slice(0, 100) }, message);
}

function render({ query, bucketName }: S3Context, parameters: ListParameters, page: ObjectPage): string {
  const { prefix, delimiter, limit, isUrlEncoded } = parameters;
  const { versions, prefixes, next } = page;
  const marker = query.get('key-marker') ?? '';
  const keys = versions.map(({ key }) => key);
  const names = nameText(isUrlEncoded, [...keys, ...prefixes, prefix, delimiter ?? '', marker]);
  let text = tag('Name', bucketName) + nameTag('Prefix', prefix, names) + nameTag('KeyMarker', marker, names);
  text += tag('VersionIdMarker', query.get('version-id-marker') ?? '');
  if (next !== null) {
    text += nameTag('NextKeyMarker', next.key, names);
    if (next.versionId !== undefined) text += tag('NextVersionIdMarker', next.versionId);
  }
  text += tag('MaxKeys', limit);
  if (delimiter !== null) text += nameTag('Delimiter', delimiter, names);
  if (names.isUrlEncoded) text += tag('EncodingType', 'url');
  text += tag('IsTruncated', page.isTruncated);
  for (const version of versions) text += entry(version, names);
  return listDocument('ListVersionsResult', text + prefixesText(prefixes, names));
}

function entry(version: ObjectVersion, names: NameText): string {
  const { key, versionId, isLatest, isMarker, modifiedAtMs, owner } = version;
  const head = nameTag('Key', key, names) + tag('VersionId', versionId) + tag('IsLatest', isLatest);
  const tail = ownerText('Owner', owner);
  if (!isMarker) return `<Version>${head}${contentText(version)}${tail}</Version>`;
  return `<DeleteMarker>${head}${tag('LastModified', formatXmlTime(modifiedAtMs))}${tail}</DeleteMarker>`;
}
