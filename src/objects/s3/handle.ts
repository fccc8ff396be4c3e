import type { Clock } from '../../kernel/ids.ts';
import type { Log } from '../../kernel/telemetry/log.ts';
import type { Access, User } from '../access/access.ts';
import type { Admission } from '../admission/admission.ts';
import type { Bucket } from '../bucket.ts';
import { objectError, s3CodeOf } from '../errors.ts';
import type { ObjectGateway } from '../gateway.ts';
import type { Traffic, TrafficUse } from '../quotas/traffic.ts';
import { requireKnownHeader } from './amz-headers.ts';
import { type Authenticate, type Authenticated, createAuthenticate } from './authenticate.ts';
import type { S3Command, S3Reply } from './command.ts';
import { RequestContext, type RequestParts } from './context.ts';
import { errorReply } from './error-reply.ts';
import type { Exchange } from './exchange.ts';
import type { Limits } from './limits.ts';
import { addCorsHeaders, answerPreflight } from './preflight.ts';
import { type Route, type Router, createRouter } from './router.ts';
import { sendReply, sendWork } from './send.ts';
import { type Target, parseTarget } from './target.ts';

export interface HandleOptions {
  readonly gateway: ObjectGateway;
  readonly access: Access;
  readonly clock: Clock;
  readonly log: Log;
  readonly region: string;
  readonly baseDomains: readonly string[];
  readonly commands: readonly S3Command[];
  readonly limits: Limits;
  /** Absent: nobody waits for a turn. */
  readonly admission?: Admission;
  /** Whether there is somebody of this name who can be told of what happens in buckets; without, there is nobody. */
  readonly hasNotificationTarget?: (name: string) => Promise<boolean>;
  /** Counts what clients use and holds it to their limits; absent, nobody counts. */
  readonly traffic?: Traffic;
  /** Told of each access key that signed a request rightly. */
  readonly onKeyUse?: (accessKey: string) => void;
}

/** Answers one request, from its headers to the end of its exchange; `refusal` is why it is refused at once. Never throws. */
export type Handle = (exchange: Exchange, refusal: Error | null) => Promise<void>;

/** All without a signature take turns as one. */
const anonymous = 'anonymous';

interface Face extends HandleOptions {
  readonly router: Router;
  readonly authenticate: Authenticate;
}

export function createHandle(options: HandleOptions): Handle {
  const router = createRouter(options.commands);
  const authenticate = createAuthenticate(options.access);
  const face: Face = { ...options, router, authenticate };
  return async (exchange, refusal) => {
    try {
      if (refusal !== null) throw refusal;
      await answer(face, exchange);
    } catch (error) {
      await answerError(face, exchange, error);
    }
    try {
      await exchange.finish();
    } catch (error) {
      options.log.error({ err: error }, 'an exchange did not end well');
      exchange.response.destroy();
    }
    const { place, body, sentBytes } = exchange;
    if (place !== null) options.traffic?.countBytes(place, body.receivedBytes, sentBytes);
  };
}

async function answer(face: Face, exchange: Exchange): Promise<void> {
  const { request } = exchange;
  const method = request.method ?? '';
  if (request.headers.host === undefined && request.httpVersion === '1.1') {
    throw objectError('BadRequest', {}, 'The Host header is needed.');
  }
  const target = parseTarget(request.url ?? '', request.headers.host, face.baseDomains);
  exchange.resource = target.rawPath;
  if (method === 'OPTIONS') {
    exchange.commandName = 'Preflight';
    return reply(face, exchange, await answerPreflight(face.gateway, exchange, target));
  }
  const { headers } = request;
  const route = face.router(method, target, (name) => headers[name] !== undefined);
  const { command } = route;
  exchange.commandName = command.name;
  if (headers.origin !== undefined) await loadForCors(face, exchange, target, command);
  const authenticated = await admit(face, exchange, target, route);
  const user = authenticated.user?.id ?? anonymous;
  const release = await face.admission?.enter(user, target.bucketName || null, () => exchange.signal());
  try {
    await answerAdmitted(face, exchange, { target, route, authenticated });
  } finally {
    release?.();
  }
}

async function answerAdmitted(
  face: Face,
  exchange: Exchange,
  { target, route, authenticated }: Pick<RequestParts, 'target' | 'route' | 'authenticated'>,
): Promise<void> {
  const { request } = exchange;
  const { headers } = request;
  const { command } = route;
  if (target.resource !== 'service' && command.isWithoutBucket !== true) {
    exchange.bucket ??= await face.gateway.buckets.get(target.bucketName);
    requireOwner(exchange.bucket, headers['x-amz-expected-bucket-owner']);
  }
  const { gateway, access, region } = face;
  const { requestId, bucket, body } = exchange;
  const context = new RequestContext({
    gateway,
    access,
    region,
    hasNotificationTarget: face.hasNotificationTarget ?? noTarget,
    nowMs: face.clock.nowMs(),
    request,
    requestId,
    target,
    route,
    authenticated,
    bucket,
    body,
    signal: () => exchange.signal(),
    admit: (user) => admitTraffic(face, exchange, user),
  });
  const { action } = command;
  if (action !== null) {
    await context.require(typeof action === 'function' ? action(context) : action);
    context.admit(authenticated.user);
  }
  await reply(face, exchange, await command.handle(context));
}

const noTarget = () => Promise.resolve(false);

async function admit(face: Face, exchange: Exchange, target: Target, route: Route): Promise<Authenticated> {
  const { rawPath, rawQuery, hostBucket } = target;
  const { rawHeaders, method = '', headers } = exchange.request;
  const signed = { method, rawPath, rawQuery, rawHeaders, hostBucket };
  const authenticated = await face.authenticate(signed, face.clock.nowMs());
  if (authenticated.authorization.kind !== 'anonymous') face.onKeyUse?.(authenticated.authorization.accessKey);
  const isWrite = method !== 'GET' && method !== 'HEAD';
  for (const name in headers) {
    if (name.startsWith('x-amz-')) requireKnownHeader(name, headers[name] as string, isWrite);
  }
  for (const [name, value] of route.hoisted) {
    if (name.startsWith('x-amz-')) requireKnownHeader(name, value, true);
  }
  return authenticated;
}

/** What commands are for; others with a name that begins with `Delete` or `Abort` delete, and the rest only asks. */
const uses: Readonly<Record<string, TrafficUse>> = {
  PutObject: 'write',
  PostObject: 'write',
  UploadPart: 'write',
  GetObject: 'read',
};

/** Once it is known who asks and that they may: what strangers send is not a bucket's or a user's traffic. */
function admitTraffic({ traffic }: Face, exchange: Exchange, user: User | null): void {
  if (traffic === undefined || exchange.place !== null) return;
  const { commandName, bucket, body } = exchange;
  const use = uses[commandName] ?? (/^(Delete|Abort)/.test(commandName) ? 'delete' : 'ask');
  const place = { bucket: bucket?.name ?? null, userId: user?.id ?? null };
  traffic.admit(place, use, body.contentLength ?? 0);
  exchange.place = place;
  exchange.onMoved = (bytes) => traffic.moved(place, bytes);
}

/** A refusal carries the headers for browsers as well, else a page could not see it. */
async function loadForCors(face: Face, exchange: Exchange, { bucketName }: Target, command: S3Command): Promise<void> {
  if (bucketName === '' || command.isWithoutBucket === true) return;
  exchange.bucket = await face.gateway.buckets.get(bucketName);
  addCorsHeaders(exchange);
}

function requireOwner(bucket: Bucket, expected: string | string[] | undefined): void {
  if (expected !== undefined && expected !== bucket.owner) {
    throw objectError('AccessDenied', {}, 'The bucket does not belong to the expected owner.');
  }
}

async function reply(face: Face, exchange: Exchange, given: S3Reply): Promise<void> {
  const { resource, requestId, hostId } = exchange;
  const { work } = given;
  if (work === undefined) {
    exchange.prepareAnswer();
    return sendReply(exchange, given);
  }
  exchange.prepareAnswer();
  return sendWork(exchange, work(), face.limits.patienceMs, (error) => {
    logFailure(face, exchange, error, 200);
    return errorReply(error, resource, requestId, hostId).element;
  });
}

async function answerError(face: Face, exchange: Exchange, error: unknown): Promise<void> {
  const { response, resource, requestId, hostId } = exchange;
  exchange.giveUp(error);
  if (exchange.isGone) return;
  const { status, headers, element } = errorReply(error, resource, requestId, hostId);
  logFailure(face, exchange, error, status);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  exchange.prepareAnswer();
  try {
    await sendReply(exchange, { status, headers, body: element });
  } catch (sending) {
    face.log.error({ err: sending, request: requestId }, 'an error could not be told');
    response.destroy();
  }
}

/**
 * Faults of ours are logged with their cause; refusals are the client's affair. Those for too much load are counted: a line
 * for each would be more of it.
 */
function logFailure({ log }: Face, exchange: Exchange, error: unknown, status: number): void {
  if ((status < 500 && status !== 200) || s3CodeOf(error) === 'SlowDown') return;
  const { requestId, commandName, resource } = exchange;
  log.error({ err: error, request: requestId, command: commandName, resource }, 'an S3 request failed');
}
