import type { Static, TSchema } from 'typebox';

/** What a caller must be allowed to do. Each role may also do what those before it may; `public` needs no token. */
export const roles = ['public', 'viewer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

/** The largest body of a request, of an endpoint that says nothing else. */
export const bodyBytesMax = 1_048_576;

/** One operation of the API, without any of its implementation: the server, the client and the document share it. */
export interface Endpoint<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Reply extends TSchema = TSchema,
> {
  /** The operationId, unique. */
  readonly id: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Another method that means the same. */
  readonly alsoMethod?: 'POST' | 'PUT';
  /** With `{name}` for parameters; `{name+}` takes the rest of the path, slashes included, and is read from the wire. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly role: Role;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** The status of success. */
  readonly status: 200 | 202 | 201 | 204;
  readonly reply: Reply;
  /** `sse`: a stream of events whose data has the reply's schema. `text`: not JSON. `bytes`: whatever the handler sends. */
  readonly media?: 'sse' | 'text' | 'bytes';
  /** `bytes`: the body is not parsed, whatever its type; the handler reads it from `raw.raw`. */
  readonly requestMedia?: 'bytes';
  /** The largest body that is read; {@link bodyBytesMax} where it says nothing. */
  readonly bodyBytesMax?: number;
  /** Whether an `Idempotency-Key` header is honoured: operations that start something. */
  readonly isIdempotent?: boolean;
}

type Part<S> = S extends TSchema ? Static<S> : undefined;

export type ParamsOf<E> = E extends Endpoint<infer P, TSchema, TSchema, TSchema> ? Part<P> : never;
export type QueryOf<E> = E extends Endpoint<TSchema, infer Q, TSchema, TSchema> ? Part<Q> : never;
export type BodyOf<E> = E extends Endpoint<TSchema, TSchema, infer B, TSchema> ? Part<B> : never;
export type ReplyOf<E> = E extends Endpoint<TSchema, TSchema, TSchema, infer R> ? Part<R> : never;

/** Keeps the literal types of an endpoint's schemas. */
export function endpoint<P extends TSchema, Q extends TSchema, B extends TSchema, R extends TSchema>(
  definition: Endpoint<P, Q, B, R>,
): Endpoint<P, Q, B, R> {
  return definition;
}
