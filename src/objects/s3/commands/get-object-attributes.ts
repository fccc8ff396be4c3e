import { objectError } from '../../errors.ts';
import type { ContentPart, ObjectChecksum, ObjectVersion } from '../../object.ts';
import { standardClass } from '../../storage-class.ts';
import type { S3Command, S3Context, XmlElement } from '../command.ts';
import { formatHttpTime } from '../http-time.ts';
import { parseCount } from '../listing/list-parameters.ts';
import { answerFailedReading } from '../reading.ts';
import { checksumLeaves } from '../xml/checksums.ts';
import { leaf } from '../xml/writer.ts';
import { statSubject, versionHeaders } from './subject.ts';

const attributeNames = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const;
type AttributeName = (typeof attributeNames)[number];
const partsMax = 10_000;
const partsOfPageMax = 1000;

export const getObjectAttributes: S3Command = {
  name: 'GetObjectAttributes',
  method: 'GET',
  resource: 'object',
  selectedBy: ['attributes'],
  alsoTakes: ['versionId'],
  action: ({ query }) => (query.has('versionId') ? 's3:GetObjectVersionAttributes' : 's3:GetObjectAttributes'),
  handle: async (context) => {
    const wanted = parseWanted(context.header('x-amz-object-attributes'));
    try {
      const version = await statSubject(context);
      const headers = { ...versionHeaders(context, version), 'last-modified': formatHttpTime(version.modifiedAtMs) };
      const children: XmlElement[] = [];
      for (const name of attributeNames) {
        if (wanted.has(name)) children.push(...(await describe(context, version, name)));
      }
      return { status: 200, headers, body: { name: 'GetObjectAttributesResponse', children } };
    } catch (error) {
      return answerFailedReading(context, error);
    }
  },
};

function parseWanted(header: string | undefined): ReadonlySet<AttributeName> {
  const argument = 'x-amz-object-attributes';
  const wanted = new Set<AttributeName>();
  for (const text of (header ?? '').split(',', 20)) {
    const name = attributeNames.find((one) => one === text.trim());
    if (name === undefined) {
      throw objectError(
        'InvalidArgument',
        { argument, value: text.slice(0, 100) },
        'Invalid attribute name specified.',
      );
    }
    wanted.add(name);
  }
  return wanted;
}

async function describe(context: S3Context, version: ObjectVersion, name: AttributeName): Promise<XmlElement[]> {
  const { etag, sizeBytes, attributes } = version;
  switch (name) {
    case 'ETag':
      // Here alone it stands without quotes.
      return [leaf('ETag', etag)];
    case 'ObjectSize':
      return [leaf('ObjectSize', sizeBytes)];
    case 'StorageClass':
      return [leaf('StorageClass', version.storageClass ?? standardClass)];
    case 'Checksum':
      return attributes.checksums.length === 0
        ? []
        : [{ name: 'Checksum', children: checksumLeaves(attributes.checksums.map(withoutCount)) }];
    case 'ObjectParts': {
      const parts = await context.gateway.objects.parts(version, { after: 0, limit: partsMax });
      return parts.length === 0 ? [] : [describeParts(context, parts)];
    }
  }
  return name satisfies never;
}

/** Here alone a composite checksum stands without the number of parts, which `ObjectParts` tells. */
function withoutCount(checksum: ObjectChecksum): ObjectChecksum {
  return checksum.type === 'COMPOSITE' ? { ...checksum, value: checksum.value.replace(/-\d+$/, '') } : checksum;
}

function describeParts(context: S3Context, parts: readonly ContentPart[]): XmlElement {
  const limitHeader = parseCount('x-amz-max-parts', context.header('x-amz-max-parts'));
  const limit = Math.min(limitHeader ?? partsOfPageMax, partsOfPageMax);
  const after = parseCount('x-amz-part-number-marker', context.header('x-amz-part-number-marker')) ?? 0;
  const rest = parts.filter(({ part }) => part > after);
  const shown = rest.slice(0, limit);
  const isTruncated = rest.length > shown.length;
  const children = [leaf('PartsCount', parts.length), leaf('PartNumberMarker', after)];
  children.push(leaf('NextPartNumberMarker', shown.at(-1)?.part ?? after));
  children.push(leaf('MaxParts', limit), leaf('IsTruncated', isTruncated));
  for (const { part, sizeBytes, checksums } of shown) {
    const checksumsOfPart = checksums.map(({ algorithm, value }) => leaf(`Checksum${algorithm}`, value));
    children.push({ name: 'Part', children: [leaf('PartNumber', part), leaf('Size', sizeBytes), ...checksumsOfPart] });
  }
  return { name: 'ObjectParts', children };
}
