import type { IncomingMessage } from 'node:http';
import type { Access, AccessRequest, S3Action, User } from '../access/access.ts';
import type { Bucket } from '../bucket.ts';
import type { Content } from '../content/content.ts';
import type { IncomingContent, ObjectGateway } from '../gateway.ts';

/** One S3 operation. Adding one is a file in `commands/` and a line in `commands/all.ts`. */
export interface S3Command {
  /** As AWS names it, such as `PutObject`. */
  readonly name: string;
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly resource: 'service' | 'bucket' | 'object';
  /** The query keys that select it, such as `['tagging']` or `['partNumber', 'uploadId']`; all must be there. */
  readonly selectedBy: readonly string[];
  /** A header that selects it too, such as `x-amz-copy-source`. */
  readonly selectedByHeader?: string;
  /** Other query keys it takes. Any key that is neither here, nor a signature's, nor `response-*`, is answered 501. */
  readonly alsoTakes: readonly string[];
  /**
   * What the caller must be allowed to do; a command may ask for more by `context.require`. `null`: it asks by itself, for
   * each key of its body, or after a form in the body has told who asks.
   */
  readonly action: S3Action | ((context: S3Context) => S3Action) | null;
  /** CreateBucket, whose bucket need not exist. */
  readonly isWithoutBucket?: boolean;
  handle(context: S3Context): Promise<S3Reply>;
}

/** One request, authenticated, authorized for its command's action, and parsed. */
export interface S3Context {
  readonly command: S3Command;
  readonly gateway: ObjectGateway;
  readonly access: Access;
  /** `null` for an anonymous request. */
  readonly user: User | null;
  /** For ownership and events: the user's id, or `anonymous`. */
  readonly actor: string;
  readonly request: IncomingMessage;
  readonly requestId: string;
  /** Decoded; later values of one name are dropped. */
  readonly query: ReadonlyMap<string, string>;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** The bucket of the request, loaded and existing. Throws for commands on the service. */
  readonly bucket: Bucket;
  /** As the client named it; for CreateBucket, which has no bucket yet. */
  readonly bucketName: string;
  /** Decoded from the wire, never normalised. */
  readonly key: string;
  /** One header, its values joined. */
  header(name: string): string | undefined;
  /** All headers whose names begin with this, in lower case. */
  headersFrom(prefix: string): Iterable<readonly [string, string]>;
  /** Throws `AccessDenied` unless the caller may do this as well, by default on the bucket and key of the request. */
  require(action: S3Action, on?: Partial<Pick<AccessRequest, 'bucket' | 'key' | 'context'>>): Promise<void>;
  /** Whether there is somebody of this name who can be told of what happens in the bucket. */
  hasNotificationTarget(name: string): Promise<boolean>;
  /**
   * Counts the request as traffic of its bucket and of who was found to ask, and holds it to their monthly limits; once,
   * whoever calls it again. For commands without an `action`: only they know that somebody may. Throws `QuotaExceeded`.
   */
  admit(user: User | null): void;
  /** The time of the request, in ms since 1970. */
  readonly nowMs: number;
  /** Where this server says that it is, such as `us-east-1`. */
  readonly region: string;
  /**
   * The body as the content of an object: length, digests, chunk signatures and trailers are checked on the way. A small
   * one has come whole when this resolves; a client that waits to be told to send a large one is told when it is read.
   */
  incoming(): Promise<IncomingContent>;
  /**
   * The body as a parsed XML document, at most `bytesMax` long; its digests are checked. Throws `MalformedXML`.
   * @param checksumsOf what checksum headers are about: with `object`, not about the body, which they do not check then.
   */
  xml(bytesMax: number, checksumsOf?: 'body' | 'object'): Promise<XmlElement>;
  /** The body as text, the same way. */
  text(bytesMax: number): Promise<string>;
}

export interface S3Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: XmlElement | Content | string;
  /** For long work (copy, complete): the answer begins with white space while `work` runs, and may be an error inside a 200. */
  readonly work?: () => Promise<S3Reply>;
}

/** An XML element as data: text, or children in order. */
export interface XmlElement {
  readonly name: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly text?: string;
  readonly children?: readonly XmlElement[];
}
