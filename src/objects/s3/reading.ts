import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type Conditions, checkRead } from '../conditions.ts';
import type { ByteRange } from '../content/content.ts';
import type { CustomerKey } from '../encryption/data-key.ts';
import { objectError } from '../errors.ts';
import type { ContentPart, ObjectVersion } from '../object.ts';
import type { S3Context, S3Reply } from './command.ts';
import { parseConditions } from './conditions.ts';
import { addEncryptionHeaders, parseCustomerKey } from './encryption-headers.ts';
import { toHeaderText } from './header-text.ts';
import { type Headers, addChecksumHeaders, validatorHeaders, versionFacts } from './object-headers.ts';
import { responseKeys } from './query-keys.ts';
import { type RangeSpec, formatContentRange, isRangeCurrent, parseRange, rangeOfPart, resolveRange } from './range.ts';

const partNumberMax = 10_000;

/** What a GetObject or HeadObject asks for, before anything of the object is known. */
export interface Reading {
  readonly conditions: Conditions;
  readonly range: RangeSpec | null;
  readonly ifRange: string | undefined;
  readonly partNumber: number | null;
  /** Headers of the answer that replace those of the object. */
  readonly overrides: Headers | null;
  readonly wantsChecksums: boolean;
  readonly customerKey: CustomerKey | undefined;
}

/** Throws `InvalidRequest` and `InvalidArgument`. */
export function parseReading(context: S3Context): Reading {
  const { query } = context;
  const header = (name: string) => context.header(name);
  const range = header('range');
  const partNumber = query.size === 0 ? null : parsePartNumber(query.get('partNumber'));
  if (partNumber !== null && range !== undefined) {
    throw objectError('InvalidRequest', {}, 'Cannot specify both Range header and partNumber query parameter.');
  }
  return {
    conditions: parseConditions(header),
    range: range === undefined ? null : parseRange(range),
    ifRange: range === undefined ? undefined : header('if-range'),
    partNumber,
    overrides: query.size === 0 ? null : overridesIn(context),
    wantsChecksums: header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED',
    customerKey: parseCustomerKey(header),
  };
}

/** A number of a part. Throws `InvalidArgument`. */
export function parsePartNumber(text: string | undefined): number | null {
  if (text === undefined) return null;
  const part = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (part >= 1 && part <= partNumberMax) return part;
  const message = `Part number must be an integer between 1 and ${partNumberMax}, inclusive.`;
  throw objectError('InvalidArgument', { argument: 'partNumber', value: text.slice(0, 100) }, message);
}

/** Whoever may choose what a browser is told of a file must have signed it. */
function overridesIn({ query, user }: S3Context): Headers | null {
  let overrides: Headers | null = null;
  for (const [key, name] of responseKeys) {
    const value = query.get(key);
    if (value === undefined) continue;
    if (user === null) {
      const message = 'Request specific response headers cannot be used for anonymous GET requests.';
      throw objectError('InvalidRequest', {}, message);
    }
    overrides ??= {};
    overrides[name] = toHeaderText(value);
  }
  return overrides;
}

/** Thrown by {@link checkReading}, and told as 304. */
export class NotModified extends Error {
  readonly version: ObjectVersion;

  constructor(version: ObjectVersion) {
    super('not modified');
    this.version = version;
  }
}

/** Throws {@link NotModified}, or `PreconditionFailed`. */
export function checkReading({ conditions }: Reading, version: ObjectVersion): void {
  const outcome = checkRead(conditions, version);
  if (outcome === 'not_modified') throw new NotModified(version);
  if (outcome === 'failed') {
    const condition = conditions.ifMatch === undefined ? 'If-Unmodified-Since' : 'If-Match';
    throw objectError('PreconditionFailed', { condition });
  }
}

/** Which bytes are asked for; `null` for all. Throws `InvalidRange` and `InvalidPartNumber`. */
export function rangeOf(reading: Reading, version: ObjectVersion, parts: readonly ContentPart[]): ByteRange | null {
  const { range, ifRange, partNumber } = reading;
  if (partNumber !== null) return rangeOfPart(partNumber, version.sizeBytes, parts);
  if (range === null || !isRangeCurrent(ifRange, version)) return null;
  return resolveRange(range, version.sizeBytes);
}

/** Status and headers of an answer with these bytes of a version. */
export function headOf(
  context: S3Context,
  reading: Reading,
  version: ObjectVersion,
  given: { readonly range: ByteRange | null; readonly parts: readonly ContentPart[] },
): { readonly status: number; readonly headers: Headers } {
  const { range, parts } = given;
  const headers = versionFacts(version);
  headers['content-length'] = String(range === null ? version.sizeBytes : range.length);
  if (context.bucket.settings.versioning !== 'off') headers['x-amz-version-id'] = version.versionId;
  // An empty range has no first and last byte to name.
  const isPartial = range !== null && range.length > 0;
  if (isPartial) headers['content-range'] = formatContentRange(range, version.sizeBytes);
  if (reading.partNumber !== null && parts.length > 0) headers['x-amz-mp-parts-count'] = String(parts.length);
  if (reading.wantsChecksums) {
    const part = parts.find((one) => one.part === reading.partNumber);
    // Of an object's own checksum a part of the bytes says nothing.
    if (reading.partNumber !== null && part !== undefined) addChecksumHeaders(part.checksums, headers);
    else if (range === null || reading.partNumber !== null) addChecksumHeaders(version.attributes.checksums, headers);
  }
  addEncryptionHeaders(version.attributes.encryption, reading.customerKey, headers);
  if (reading.overrides !== null) Object.assign(headers, reading.overrides);
  return { status: isPartial || reading.partNumber !== null ? 206 : 200, headers };
}

/**
 * What a failed read is answered: 304 is no error, and that a key is not there is only told to those who may list the bucket
 * ("GetObject", permissions).
 */
export async function answerFailedReading(context: S3Context, error: unknown): Promise<S3Reply> {
  if (error instanceof NotModified) {
    const headers = validatorHeaders(error.version);
    if (context.bucket.settings.versioning !== 'off') headers['x-amz-version-id'] = error.version.versionId;
    return { status: 304, headers };
  }
  if (error instanceof HoldfastError && error.details['s3'] === 'NoSuchKey') {
    await context.require('s3:ListBucket', { key: null });
  }
  throw error;
}
