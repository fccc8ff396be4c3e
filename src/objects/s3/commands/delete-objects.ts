import { type ObjectErrorCode, objectError, objectErrors, s3CodeOf } from '../../errors.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { isBypassing } from '../bypass.ts';
import type { S3Command, S3Context, XmlElement } from '../command.ts';
import { parseEtags } from '../conditions.ts';
import { hasDigest } from '../incoming.ts';
import { childrenOf, expectElement, requiredText, textIn, wordIn } from '../xml/find.ts';
import { leaf } from '../xml/writer.ts';

const xmlBytesMax = 2_097_152;
const objectsMax = 1000;
/** How many are removed at a time: each is a write to the store of its own. */
const atOnce = 8;

interface Wanted {
  readonly key: string;
  readonly versionId: string | undefined;
  readonly etag: string | undefined;
}

export const deleteObjects: S3Command = {
  name: 'DeleteObjects',
  method: 'POST',
  resource: 'bucket',
  selectedBy: ['delete'],
  alsoTakes: [],
  // Asked for each key of the body.
  action: null,
  handle: async (context) => {
    if (!hasDigest((name) => context.header(name))) {
      const message = 'Missing required header for this request: Content-MD5 or x-amz-checksum-…';
      throw objectError('InvalidRequest', { field: 'content-md5' }, message);
    }
    const root = expectElement(await context.xml(xmlBytesMax), 'Delete', ['Object', 'Quiet']);
    const isQuiet =
      wordIn(root, 'Quiet', ['true', 'false', 'TRUE', 'FALSE', 'True', 'False'])?.toLowerCase() === 'true';
    const objects = childrenOf(root, 'Object');
    if (objects.length === 0 || objects.length > objectsMax) {
      throw objectError('MalformedXML', { reason: `There must be 1 to ${objectsMax} objects.` });
    }
    const wanted = objects.map(parseObject);
    const isBypass = isBypassing(context);
    const results: XmlElement[] = [];
    for (let start = 0; start < wanted.length; start += atOnce) {
      const batch = wanted.slice(start, start + atOnce);
      results.push(...(await Promise.all(batch.map((one) => remove(context, one, isBypass)))));
    }
    const children = isQuiet ? results.filter(({ name }) => name === 'Error') : results;
    return { status: 200, body: { name: 'DeleteResult', children } };
  },
};

function parseObject(element: XmlElement): Wanted {
  // Those that this server does not know must not be passed over: they say when not to delete.
  if (textIn(element, 'LastModifiedTime') !== undefined || textIn(element, 'Size') !== undefined) {
    throw objectError('NotImplemented', {}, 'LastModifiedTime and Size are not implemented as conditions.');
  }
  expectElement(element, 'Object', ['Key', 'VersionId', 'ETag']);
  const versionId = textIn(element, 'VersionId');
  return {
    key: requiredText(element, 'Key'),
    versionId: versionId === '' ? undefined : versionId,
    etag: textIn(element, 'ETag'),
  };
}

async function remove(context: S3Context, { key, versionId, etag }: Wanted, isBypass: boolean): Promise<XmlElement> {
  const { gateway, bucket, actor } = context;
  const version = versionId === undefined ? [] : [leaf('VersionId', versionId)];
  try {
    await context.require(versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion', { key });
    context.admit(context.user);
    if (isBypass) await context.require('s3:BypassGovernanceRetention', { key });
    const conditions = etag === undefined ? {} : { ifMatch: parseEtags(etag, 'strong') };
    const ref = { bucket: bucket.name, key, versionId };
    const removal = await gateway.objects.remove(ref, { actor, conditions, bypassGovernance: isBypass });
    const children = [leaf('Key', key), ...version];
    if (removal.isMarker) {
      children.push(leaf('DeleteMarker', true), leaf('DeleteMarkerVersionId', removal.versionId ?? ''));
    }
    return { name: 'Deleted', children };
  } catch (error) {
    const { code, message } = told(error);
    return { name: 'Error', children: [leaf('Key', key), ...version, leaf('Code', code), leaf('Message', message)] };
  }
}

/** Messages of others than the gateway are not for clients. */
function told(error: unknown): { readonly code: ObjectErrorCode; readonly message: string } {
  const code = s3CodeOf(error);
  const [status, , sentence] = objectErrors[code];
  const isOurs = error instanceof HoldfastError && error.details['s3'] === code && status < 500;
  return { code, message: isOurs ? error.message : sentence };
}
