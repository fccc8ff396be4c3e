import { parseAlgorithm } from '../../checksums/algorithm.ts';
import { type EncryptionWish, customerKeyOf } from '../../encryption/encryption.ts';
import { objectError } from '../../errors.ts';
import type { VersionRef } from '../../gateway.ts';
import type { ChecksumAlgorithm, ObjectVersion } from '../../object.ts';
import type { S3Command, S3Context, S3Reply, XmlElement } from '../command.ts';
import { parseConditions } from '../conditions.ts';
import { readCopySource } from '../copy-source.ts';
import {
  addEncryptionHeaders,
  parseCustomerKey,
  parseEncryption,
  sourceCustomerHeader,
} from '../encryption-headers.ts';
import { formatXmlTime } from '../http-time.ts';
import { parseAttributes } from '../metadata.ts';
import { readLock, readStorageClass, readTags } from '../writing.ts';
import { checksumLeaves } from '../xml/checksums.ts';
import { leaf } from '../xml/writer.ts';

export const copyObject: S3Command = {
  name: 'CopyObject',
  method: 'PUT',
  resource: 'object',
  selectedBy: [],
  selectedByHeader: 'x-amz-copy-source',
  alsoTakes: [],
  action: 's3:PutObject',
  handle: async (context) => {
    const { gateway, bucket, key, actor, signal } = context;
    const { source, bucket: sourceBucket } = await readCopySource(context);
    const header = (name: string) => context.header(name);
    const isReplacing = isReplaced(context, 'x-amz-metadata-directive');
    const tags = isReplaced(context, 'x-amz-tagging-directive') ? await readTags(context) : null;
    const checksum = checksumIn(context);
    const encryption = parseEncryption(header);
    gateway.objects.checkEncryption(encryption);
    const storageClass = readStorageClass(context);
    const isOther = encryption !== undefined || storageClass !== undefined;
    const isChanging = isReplacing || tags !== null || checksum !== undefined || isOther;
    if (!isChanging && isItself(context, source)) {
      const message =
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's " +
        'metadata, storage class, website redirect location or encryption attributes.';
      throw objectError('InvalidRequest', {}, message);
    }
    const request = {
      source,
      sourceConditions: parseConditions(header, 'x-amz-copy-source-'),
      bucket: bucket.name,
      key,
      encryption,
      storageClass,
      sourceKey: parseCustomerKey(header, sourceCustomerHeader),
      attributes: isReplacing ? parseAttributes(header, (prefix) => context.headersFrom(prefix)) : null,
      tags,
      lock: await readLock(context),
      conditions: parseConditions(header),
      ...(checksum === undefined ? {} : { checksum }),
      actor,
      signal,
    };
    const isVersioned = sourceBucket.settings.versioning !== 'off';
    return {
      status: 200,
      work: async () =>
        answer(context, await gateway.objects.copy(request), isVersioned ? source.versionId : undefined, encryption),
    };
  },
};

function answer(
  { bucket }: S3Context,
  version: ObjectVersion,
  sourceVersionId: string | undefined,
  wish: EncryptionWish | undefined,
): S3Reply {
  const headers: Record<string, string> = {};
  addEncryptionHeaders(version.attributes.encryption, customerKeyOf(wish), headers);
  if (bucket.settings.versioning !== 'off') headers['x-amz-version-id'] = version.versionId;
  if (sourceVersionId !== undefined) headers['x-amz-copy-source-version-id'] = sourceVersionId;
  return { status: 200, headers, body: copyResult('CopyObjectResult', version, version.attributes.checksums) };
}

/** What a copy of an object or a part is answered. */
export function copyResult(
  name: 'CopyObjectResult' | 'CopyPartResult',
  { etag, modifiedAtMs }: { readonly etag: string; readonly modifiedAtMs: number },
  checksums: ObjectVersion['attributes']['checksums'],
): XmlElement {
  const children = [leaf('LastModified', formatXmlTime(modifiedAtMs)), leaf('ETag', `"${etag}"`)];
  return { name, children: [...children, ...checksumLeaves(checksums)] };
}

function isReplaced(context: S3Context, name: 'x-amz-metadata-directive' | 'x-amz-tagging-directive'): boolean {
  const directive = context.header(name) ?? 'COPY';
  if (directive === 'REPLACE') return true;
  if (directive === 'COPY') return false;
  const details = { argument: name, value: directive.slice(0, 100) };
  throw objectError('InvalidArgument', details, `${name} is COPY or REPLACE.`);
}

function checksumIn(context: S3Context): ChecksumAlgorithm | undefined {
  const text = context.header('x-amz-checksum-algorithm');
  const algorithm = text === undefined ? undefined : parseAlgorithm(text);
  if (text === undefined || algorithm !== undefined) return algorithm;
  throw objectError(
    'InvalidRequest',
    { field: 'x-amz-checksum-algorithm' },
    'The checksum algorithm is not supported.',
  );
}

/** An old version that becomes the latest again is a change. */
function isItself({ bucketName, key }: S3Context, source: VersionRef): boolean {
  return source.bucket === bucketName && source.key === key && source.versionId === undefined;
}
