import type { FastifyReply, FastifyRequest } from 'fastify';
import { Reply, type Route, route } from '../../kernel/http/server.ts';
import type { ByteRange } from '../content/content.ts';
import { checkRead } from '../conditions.ts';
import { objectError } from '../errors.ts';
import type { IncomingContent, ObjectGateway, ReadRequest } from '../gateway.ts';
import type { ObjectVersion } from '../object.ts';
import type { Traffic, TrafficPlace, TrafficUse } from '../quotas/traffic.ts';
import { BodyReader } from '../s3/body-reader.ts';
import { parseConditions } from '../s3/conditions.ts';
import { formatHttpTime } from '../s3/http-time.ts';
import { readIncoming } from '../s3/incoming.ts';
import { defaultLimits } from '../s3/limits.ts';
import { lockFor } from '../s3/lock-rules.ts';
import { addAttributeHeaders, parseAttributes } from '../s3/metadata.ts';
import { formatContentRange, isRangeCurrent, parseRange, resolveRange } from '../s3/range.ts';
import { parseTagHeader } from '../s3/tags.ts';
import { sendReply } from '../s3/send.ts';
import { standardClass } from '../storage-class.ts';
import { keyOf } from './address.ts';
import { objectContract } from './contract.ts';
import { decodePosition, encodePosition } from './position.ts';
import { objectView } from './view.ts';

const metadataPrefix = 'x-meta-';
/** Tags as a URL-encoded query, both ways. */
const tagsHeader = 'x-tags';
/** As in S3, where it is left out for `STANDARD`. */
const classHeader = 'x-storage-class';
const defaultLimit = 100;
const defaultExpirySeconds = 3_600;

/** Makes an address that carries its own permission. */
export type Presign = (wish: {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly expiresInSeconds: number;
  /** The host by which the caller reached this server. */
  readonly host: string;
}) => Promise<string>;

/** Objects for programs that want no S3: plain PUT, GET, HEAD and DELETE under the API's tokens. */
export function objectRoutes({ buckets, objects }: ObjectGateway, presign: Presign, traffic: Traffic): Route[] {
  const admit = async (bucket: string, use: TrafficUse, announcedBytes = 0): Promise<Metered> => {
    // Callers of the API are no users of the gateway; a bucket that is not there has no traffic.
    const place = { bucket: (await buckets.get(bucket)).name, userId: null };
    traffic.admit(place, use, announcedBytes);
    return { traffic, place };
  };
  return [
    route(objectContract.listObjects, async ({ params, query }) => {
      await admit(params.bucket, 'ask');
      const { prefix = '', delimiter = null, limit = defaultLimit, cursor } = query;
      const after = cursor === undefined ? null : decodePosition(cursor);
      const found = await objects.list({ bucket: params.bucket, prefix, delimiter, after, limit });
      const { versions, prefixes, next, isTruncated } = found;
      const nextCursor = isTruncated && next !== null ? encodePosition(next) : null;
      return { items: versions.map(objectView), prefixes: [...prefixes], next_cursor: nextCursor };
    }),
    route(objectContract.putObject, async ({ params, raw, reply, caller }) => {
      const metered = await admit(params.bucket, 'write', Number(raw.headers['content-length'] ?? 0));
      const { settings } = await buckets.get(params.bucket);
      const storageClass = headerReader(raw)(classHeader) || undefined;
      // Before the body is read.
      objects.checkStorageClass(storageClass);
      const incoming = await incomingOf(raw, reply, metered);
      const version = await objects.put({
        ...incoming,
        bucket: params.bucket,
        key: keyOf(raw),
        attributes: parseAttributes(headerReader(raw), (prefix) => headersFrom(raw, prefix), metadataPrefix),
        tags: parseTagHeader(headerReader(raw)(tagsHeader)),
        storageClass,
        // No header of this face asks for a lock, but what the bucket gives to every version holds here too.
        lock: lockFor(() => undefined, settings, Date.now()),
        conditions: parseConditions(headerReader(raw)),
        actor: caller.name,
      });
      return new Reply(objectView(version), { etag: `"${version.etag}"` });
    }),
    route(objectContract.getObject, async ({ params, query, raw, reply }) => {
      const metered = await admit(params.bucket, 'read');
      const ref = { bucket: params.bucket, key: keyOf(raw), versionId: query.version_id };
      return read(objects, ref, raw, reply, metered);
    }),
    route(objectContract.headObject, async ({ params, query, raw, reply }) => {
      const metered = await admit(params.bucket, 'ask');
      const ref = { bucket: params.bucket, key: keyOf(raw), versionId: query.version_id };
      return read(objects, ref, raw, reply, metered);
    }),
    route(objectContract.deleteObject, async ({ params, query, raw, caller }) => {
      await admit(params.bucket, 'delete');
      const removed = await objects.remove(
        { bucket: params.bucket, key: keyOf(raw), versionId: query.version_id },
        { actor: caller.name, conditions: parseConditions(headerReader(raw)), bypassGovernance: false },
      );
      return { version_id: removed.versionId, is_delete_marker: removed.isMarker };
    }),
    route(objectContract.presignObject, async ({ params, body, raw }) => {
      const { method = 'GET', expires_in_seconds: expiresInSeconds = defaultExpirySeconds } = body;
      const key = keyOf(raw, '/presign');
      const host = raw.headers.host ?? 'localhost';
      const url = await presign({ method, bucket: params.bucket, key, expiresInSeconds, host });
      return { url, method, expires_at: new Date(Date.now() + expiresInSeconds * 1000).toISOString() };
    }),
  ];
}

/** A request that was admitted, whose bytes are to be counted. */
interface Metered {
  readonly traffic: Traffic;
  readonly place: TrafficPlace;
}

/** Ends a read whose answer is that the client has it already. */
class NotModified extends Error {
  readonly version: ObjectVersion;

  constructor(version: ObjectVersion) {
    super('not modified');
    this.version = version;
  }
}

function headerReader(request: FastifyRequest): (name: string) => string | undefined {
  return (name) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
}

function* headersFrom({ headers }: FastifyRequest, prefix: string): Generator<readonly [string, string]> {
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(prefix) && value !== undefined) yield [name, String(value)];
  }
}

/** The body of a request as the content of an object; its length must be announced. */
async function incomingOf(
  request: FastifyRequest,
  reply: FastifyReply,
  { traffic, place }: Metered,
): Promise<IncomingContent> {
  const { bodyTimeoutMs } = defaultLimits;
  const control = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) control.abort(objectError('IncompleteBody', {}, 'The client is gone.'));
  });
  // Node answers `Expect: 100-continue` by itself on this port, after the headers and before any check.
  const body = new BodyReader(request.raw, {
    timeoutMs: bodyTimeoutMs,
    onStart: () => {},
    onBytes: (bytes) => traffic.moved(place, bytes),
  });
  reply.raw.once('close', () => traffic.countBytes(place, body.receivedBytes, 0));
  return readIncoming({
    body,
    framing: null,
    sha256: undefined,
    header: headerReader(request),
    signal: control.signal,
  });
}

/** Answers GET and HEAD. From the first byte on an error breaks the connection: a clean end would be a lie. */
async function read(
  objects: ObjectGateway['objects'],
  ref: Pick<ReadRequest, 'bucket' | 'key' | 'versionId'>,
  request: FastifyRequest,
  reply: FastifyReply,
  { traffic, place }: Metered,
): Promise<never> {
  const header = headerReader(request);
  const isHead = request.method === 'HEAD';
  const control = new AbortController();
  reply.raw.once('close', () => control.abort(objectError('IncompleteBody', {}, 'The client is gone.')));
  const { sendTimeoutMs } = defaultLimits;
  const onSent = (bytes: number) => {
    traffic.countBytes(place, 0, bytes);
    traffic.moved(place, bytes);
  };
  const outlet = { response: reply.raw, common: [], isHead, isLast: false, sendTimeoutMs, onSent };
  const conditions = parseConditions(header);
  const check = (version: ObjectVersion) => {
    const verdict = checkRead(conditions, version);
    if (verdict === 'failed') throw objectError('PreconditionFailed');
    if (verdict === 'not_modified') throw new NotModified(version);
  };
  try {
    if (isHead) {
      const { version, isStale } = await objects.find(ref);
      if (version.isMarker) throw objectError(ref.versionId === undefined ? 'NoSuchKey' : 'MethodNotAllowed');
      check(version);
      const range = rangeOf(header, version);
      reply.hijack();
      await sendReply(outlet, { status: range === null ? 200 : 206, headers: headersOf(version, range, isStale) });
      return undefined as never;
    }
    const range = (version: ObjectVersion) => rangeOf(header, version);
    const open = await objects.open({ ...ref, range, check, signal: control.signal });
    reply.hijack();
    const headers = headersOf(open.version, open.range, open.isStale);
    const sending = sendReply(outlet, { status: open.range === null ? 200 : 206, headers, body: open.content });
    // From here on `sendReply` itself breaks the connection when the content breaks.
    await sending.catch(() => reply.raw.destroy()).finally(() => open.cancel());
  } catch (error) {
    if (!(error instanceof NotModified)) throw error;
    reply.hijack();
    await sendReply(outlet, { status: 304, headers: headersOf(error.version, null) });
  }
  return undefined as never;
}

function rangeOf(header: (name: string) => string | undefined, version: ObjectVersion): ByteRange | null {
  const text = header('range');
  if (text === undefined || !isRangeCurrent(header('if-range'), version)) return null;
  const spec = parseRange(text);
  return spec === null ? null : resolveRange(spec, version.sizeBytes);
}

function headersOf(version: ObjectVersion, range: ByteRange | null, isStale = false): Record<string, string> {
  const headers: Record<string, string> = {
    etag: `"${version.etag}"`,
    'last-modified': formatHttpTime(version.modifiedAtMs),
    'accept-ranges': 'bytes',
    'x-version-id': version.versionId,
    'content-length': String(range?.length ?? version.sizeBytes),
  };
  if (range !== null) headers['content-range'] = formatContentRange(range, version.sizeBytes);
  // The store could not be asked whether there is something newer.
  if (isStale) headers['x-holdfast-stale'] = 'true';
  if (Object.keys(version.tags).length > 0) headers[tagsHeader] = new URLSearchParams(version.tags).toString();
  const { storageClass = standardClass } = version;
  if (storageClass !== standardClass) headers[classHeader] = storageClass;
  addAttributeHeaders(version.attributes, headers, metadataPrefix);
  return headers;
}
