import { objectError } from '../../errors.ts';
import type { ListPosition, ObjectPage } from '../../gateway.ts';
import type { S3Command, S3Context } from '../command.ts';
import { contentText, nameTag, nameText, ownerText, prefixesText } from '../listing/entry-text.ts';
import { type ListParameters, listKeys, parseListParameters, positionAfter } from '../listing/list-parameters.ts';
import { decodeToken, encodeToken } from '../listing/page-token.ts';
import { listDocument, listPage } from './list-objects.ts';
import { tag } from '../xml/writer.ts';

export const listObjectsV2: S3Command = {
  name: 'ListObjectsV2',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['list-type'],
  alsoTakes: [...listKeys, 'max-keys', 'continuation-token', 'start-after', 'fetch-owner'],
  action: 's3:ListBucket',
  handle: async (context) => {
    const { query } = context;
    const type = query.get('list-type') ?? '';
    if (type !== '2') throw objectError('InvalidArgument', { argument: 'list-type', value: type.slice(0, 100) });
    const parameters = parseListParameters(query, 'max-keys');
    const page = await listPage(context, parameters, positionOf(context, parameters));
    return { status: 200, body: render(context, parameters, page) };
  },
};

/** A token is the exact place where the last page ended, so that `start-after` says nothing any more. */
function positionOf({ query, bucketName }: S3Context, parameters: ListParameters): ListPosition | null {
  const token = query.get('continuation-token') ?? '';
  if (token !== '') return decodeToken({ bucket: bucketName, ...parameters }, token);
  return positionAfter(query.get('start-after'), parameters);
}

function render({ query, bucketName }: S3Context, parameters: ListParameters, page: ObjectPage): string {
  const { prefix, delimiter, limit, isUrlEncoded } = parameters;
  const { versions, prefixes, next } = page;
  const startAfter = query.get('start-after');
  const token = query.get('continuation-token');
  const keys = versions.map(({ key }) => key);
  const names = nameText(isUrlEncoded, [...keys, ...prefixes, prefix, delimiter ?? '', startAfter ?? '']);
  let text = tag('Name', bucketName) + nameTag('Prefix', prefix, names);
  if (startAfter !== undefined) text += nameTag('StartAfter', startAfter, names);
  if (token !== undefined) text += tag('ContinuationToken', token);
  if (next !== null) text += tag('NextContinuationToken', encodeToken({ bucket: bucketName, prefix, delimiter }, next));
  text += tag('KeyCount', versions.length + prefixes.length) + tag('MaxKeys', limit);
  if (delimiter !== null) text += nameTag('Delimiter', delimiter, names);
  if (names.isUrlEncoded) text += tag('EncodingType', 'url');
  text += tag('IsTruncated', page.isTruncated);
  const hasOwner = query.get('fetch-owner') === 'true';
  for (const version of versions) {
    const owner = hasOwner ? ownerText('Owner', version.owner) : '';
    text += `<Contents>${nameTag('Key', version.key, names)}${contentText(version)}${owner}</Contents>`;
  }
  return listDocument('ListBucketResult', text + prefixesText(prefixes, names));
}
