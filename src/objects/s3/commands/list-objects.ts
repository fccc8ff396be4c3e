import type { ListPosition, ObjectPage } from '../../gateway.ts';
import type { S3Command, S3Context } from '../command.ts';
import { contentText, nameTag, nameText, ownerText, prefixesText } from '../listing/entry-text.ts';
import { type ListParameters, listKeys, parseListParameters, positionAfter } from '../listing/list-parameters.ts';
import { s3Namespace, tag, xmlDeclaration } from '../xml/writer.ts';

export const listObjects: S3Command = {
  name: 'ListObjects',
  method: 'GET',
  resource: 'bucket',
  selectedBy: [],
  alsoTakes: [...listKeys, 'max-keys', 'marker'],
  action: 's3:ListBucket',
  handle: async (context) => {
    const parameters = parseListParameters(context.query, 'max-keys');
    const marker = context.query.get('marker') ?? '';
    const page = await listPage(context, parameters, positionAfter(marker, parameters));
    return { status: 200, body: render(context.bucketName, marker, parameters, page) };
  },
};

function render(bucket: string, marker: string, parameters: ListParameters, page: ObjectPage): string {
  const { prefix, delimiter, limit, isUrlEncoded } = parameters;
  const { versions, prefixes, next } = page;
  const keys = versions.map(({ key }) => key);
  const names = nameText(isUrlEncoded, [...keys, ...prefixes, prefix, delimiter ?? '', marker]);
  let text = tag('Name', bucket) + nameTag('Prefix', prefix, names) + nameTag('Marker', marker, names);
  // Without a delimiter the last key is the marker, and clients know that.
  if (next !== null && delimiter !== null) text += nameTag('NextMarker', next.key, names);
  text += tag('MaxKeys', limit);
  if (delimiter !== null) text += nameTag('Delimiter', delimiter, names);
  if (names.isUrlEncoded) text += tag('EncodingType', 'url');
  text += tag('IsTruncated', page.isTruncated);
  for (const version of versions) {
    const owner = ownerText('Owner', version.owner);
    text += `<Contents>${nameTag('Key', version.key, names)}${contentText(version)}${owner}</Contents>`;
  }
  return listDocument('ListBucketResult', text + prefixesText(prefixes, names));
}

const emptyPage: ObjectPage = { versions: [], prefixes: [], isTruncated: false, next: null };

/** One page of the latest versions. A page of none is not truncated, as S3 has it: a client would never come further. */
export async function listPage(
  { gateway, bucket }: S3Context,
  { prefix, delimiter, limit }: ListParameters,
  after: ListPosition | null,
): Promise<ObjectPage> {
  if (limit === 0) return emptyPage;
  return gateway.objects.list({ bucket: bucket.name, prefix, delimiter, after, limit });
}

/** A document that was put together as text, because there are so many elements in it. */
export function listDocument(root: string, inner: string): string {
  return `${xmlDeclaration}<${root} xmlns="${s3Namespace}">${inner}</${root}>`;
}
