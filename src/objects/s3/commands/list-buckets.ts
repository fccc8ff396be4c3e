import type { Bucket } from '../../bucket.ts';
import { objectError } from '../../errors.ts';
import type { User } from '../../access/access.ts';
import type { S3Command, S3Context } from '../command.ts';
import { formatXmlTime } from '../http-time.ts';
import { ownerText } from '../listing/entry-text.ts';
import { parseLimit } from '../listing/list-parameters.ts';
import { decodeToken, encodeToken } from '../listing/page-token.ts';
import { tag } from '../xml/writer.ts';
import { listDocument } from './list-objects.ts';

const limitMax = 10_000;
const batch = 1000;

export const listBuckets: S3Command = {
  name: 'ListBuckets',
  method: 'GET',
  resource: 'service',
  selectedBy: [],
  alsoTakes: ['prefix', 'max-buckets', 'continuation-token', 'bucket-region'],
  action: 's3:ListAllMyBuckets',
  handle: async (context) => {
    const { user, query, region } = context;
    // Those without a signature have no buckets of their own.
    if (user === null) throw objectError('AccessDenied');
    const prefix = query.get('prefix') ?? '';
    const limit = parseLimit(query, 'max-buckets', limitMax);
    const scope = { bucket: '', prefix, delimiter: null };
    const token = query.get('continuation-token') ?? '';
    const after = token === '' ? undefined : decodeToken(scope, token).key;
    const isElsewhere = query.has('bucket-region') && query.get('bucket-region') !== region;
    const found = isElsewhere ? [] : await visibleBuckets(context, user, { prefix, after, limit: limit + 1 });
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    let text = `${ownerText('Owner', user.id)}<Buckets>${shown.map((bucket) => entry(bucket, region)).join('')}</Buckets>`;
    if (query.has('prefix')) text += tag('Prefix', prefix);
    if (found.length > limit && last !== undefined) {
      text += tag('ContinuationToken', encodeToken(scope, { key: last.name, isPrefix: false }));
    }
    return { status: 200, body: listDocument('ListAllMyBucketsResult', text) };
  },
};

function entry({ name, createdAtMs }: Bucket, region: string): string {
  const created = formatXmlTime(createdAtMs);
  return `<Bucket>${tag('Name', name)}${tag('CreationDate', created)}${tag('BucketRegion', region)}</Bucket>`;
}

async function visibleBuckets(
  { gateway, access }: S3Context,
  user: User,
  page: { readonly prefix: string; readonly after: string | undefined; readonly limit: number },
): Promise<Bucket[]> {
  const { prefix, limit } = page;
  const visible: Bucket[] = [];
  let { after } = page;
  while (visible.length < limit) {
    const buckets = await gateway.buckets.list({ prefix, limit: batch, ...(after === undefined ? {} : { after }) });
    for (const bucket of buckets) if (await access.maySee(user, bucket)) visible.push(bucket);
    if (buckets.length < batch) break;
    after = buckets.at(-1)!.name;
  }
  return visible.slice(0, limit);
}
