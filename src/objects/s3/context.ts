import type { IncomingMessage } from 'node:http';
import type { Access, AccessRequest, S3Action, User } from '../access/access.ts';
import { policyContext } from '../access/policy/context.ts';
import type { Bucket } from '../bucket.ts';
import { objectError } from '../errors.ts';
import type { IncomingContent, ObjectGateway } from '../gateway.ts';
import type { Authenticated } from './authenticate.ts';
import type { BodyReader } from './body-reader.ts';
import { chunkedOptions } from './chunked/chunked-options.ts';
import type { S3Command, S3Context, XmlElement } from './command.ts';
import { type IncomingRequest, readIncoming, readText } from './incoming.ts';
import type { Route } from './router.ts';
import { signatureVersion2 } from './signature/version-2.ts';
import type { Target } from './target.ts';
import { parseXml } from './xml/reader.ts';

/** What one request is, once it is authenticated. */
export interface RequestParts {
  readonly gateway: ObjectGateway;
  readonly access: Access;
  readonly region: string;
  readonly hasNotificationTarget: (name: string) => Promise<boolean>;
  readonly nowMs: number;
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly target: Target;
  readonly route: Route;
  readonly authenticated: Authenticated;
  readonly bucket: Bucket | null;
  readonly body: BodyReader;
  /** Aborts when the client is gone. */
  signal(): AbortSignal;
  /** See {@link S3Context.admit}. */
  admit(user: User | null): void;
}

const noContext: Readonly<Record<string, string>> = {};
const authTypes = {
  header: 'REST-HEADER',
  presigned: 'REST-QUERY-STRING',
  'presigned-v2': 'REST-QUERY-STRING',
  anonymous: null,
} as const;

/** The one implementation of {@link S3Context}: a view of the parts of a request. */
export class RequestContext implements S3Context {
  readonly command: S3Command;
  readonly gateway: ObjectGateway;
  readonly access: Access;
  readonly user: User | null;
  readonly actor: string;
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly query: ReadonlyMap<string, string>;
  readonly bucketName: string;
  readonly key: string;
  readonly nowMs: number;
  readonly region: string;
  readonly #parts: RequestParts;
  #policyContext: Readonly<Record<string, string>> | null = null;

  constructor(parts: RequestParts) {
    const { gateway, access, authenticated, request, requestId, route, target, nowMs, region } = parts;
    this.command = route.command;
    this.gateway = gateway;
    this.access = access;
    this.user = authenticated.user;
    this.actor = authenticated.user?.id ?? 'anonymous';
    this.request = request;
    this.requestId = requestId;
    this.query = route.query;
    this.bucketName = target.bucketName;
    this.key = target.key;
    this.nowMs = nowMs;
    this.region = region;
    this.#parts = parts;
  }

  /** Made when it is first asked for: most small requests end before anybody could be gone. */
  get signal(): AbortSignal {
    return this.#parts.signal();
  }

  get bucket(): Bucket {
    const { bucket } = this.#parts;
    if (bucket === null) throw new TypeError(`${this.command.name} has no bucket`);
    return bucket;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name] as string | undefined;
    return value ?? this.#parts.route.hoisted.get(name);
  }

  *headersFrom(prefix: string): Generator<readonly [string, string]> {
    const { headers } = this.request;
    for (const name in headers) {
      if (name.startsWith(prefix)) yield [name, headers[name] as string];
    }
    for (const [name, value] of this.#parts.route.hoisted) {
      if (name.startsWith(prefix) && headers[name] === undefined) yield [name, value];
    }
  }

  async require(action: S3Action, on: Partial<Pick<AccessRequest, 'bucket' | 'key' | 'context'>> = {}): Promise<void> {
    const bucket = on.bucket === undefined ? this.#parts.bucket : on.bucket;
    const key = on.key === undefined ? this.key || null : on.key;
    const context = on.context ?? this.#contextFor(bucket);
    await this.access.authorize({ user: this.user, action, bucket, key, context });
  }

  hasNotificationTarget(name: string): Promise<boolean> {
    return this.#parts.hasNotificationTarget(name);
  }

  admit(user: User | null): void {
    this.#parts.admit(user);
  }

  incoming(): Promise<IncomingContent> {
    return readIncoming(this.#incomingRequest());
  }

  text(bytesMax: number): Promise<string> {
    return readText(this.#incomingRequest(), bytesMax);
  }

  async xml(bytesMax: number, checksumsOf: 'body' | 'object' = 'body'): Promise<XmlElement> {
    return parseXml(await readText(this.#incomingRequest(), bytesMax, checksumsOf));
  }

  #incomingRequest(): IncomingRequest {
    const { body, authenticated } = this.#parts;
    const { authorization, signingKey } = authenticated;
    const isPlain = authorization.payload === 'sha256' || authorization.payload === 'unsigned';
    const framing = isPlain ? null : chunkedOptions(authorization, signingKey);
    if (body.isStarted) throw objectError('InternalError', {}, 'A body is read once.');
    return {
      body,
      framing,
      sha256: authorization.payload === 'sha256' ? authorization.payloadHash : undefined,
      header: (name) => this.header(name),
      signal: this.signal,
    };
  }

  /** Only policies have conditions, and most buckets have no policy. */
  #contextFor(bucket: Bucket | null): Readonly<Record<string, string>> {
    if (bucket?.settings.policy === undefined) return noContext;
    const { kind } = this.#parts.authenticated.authorization;
    const signatureVersion = kind === 'presigned-v2' ? { 's3:signatureversion': signatureVersion2 } : noContext;
    this.#policyContext ??= {
      ...policyContext({
        user: this.user,
        header: (name) => this.header(name),
        query: this.query,
        address: this.request.socket.remoteAddress,
        isTls: 'encrypted' in this.request.socket,
        authType: authTypes[kind],
        nowMs: this.nowMs,
      }),
      ...signatureVersion,
    };
    return this.#policyContext;
  }
}
