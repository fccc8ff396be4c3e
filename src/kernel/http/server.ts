import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import { createHash } from 'node:crypto';
import type { Tracer } from '@opentelemetry/api';
import { Ajv, type ValidateFunction } from 'ajv';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import { HoldfastError } from '../errors/errors.ts';
import type { Wish } from '../operations/engine.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Authorizer, Caller } from './authorizer.ts';
import { type BodyOf, type Endpoint, type ParamsOf, type QueryOf, type ReplyOf, bodyBytesMax } from './contract.ts';
import { contextOf, traceparentOf, withSpan } from '../telemetry/tracing.ts';
import { renderError, validationError } from './errors.ts';
import { leaveBody } from './leave-body.ts';
import { parseJson } from './json.ts';

const keyLengthMax = 255;

/** An endpoint whose fields are all optional may be called without a body. */
function allowEmptyBody(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  if (request.body === undefined) request.body = {};
  done();
}

/** One request, checked against its endpoint. */
export interface Call<E> {
  readonly params: ParamsOf<E>;
  readonly query: QueryOf<E>;
  readonly body: BodyOf<E>;
  readonly caller: Caller;
  /** For endpoints that start operations: who asks, and under which idempotency key. */
  readonly wish: Wish;
  readonly raw: FastifyRequest;
  readonly reply: FastifyReply;
}

/** What a handler gives back: the body, or the body with headers. A stream's handler has taken the reply over. */
export type Answer<E> = ReplyOf<E> | Reply<ReplyOf<E>> | SerializedReply;

/** A body that is JSON text already, made by the endpoint's own serializer. */
export class SerializedReply {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export class Reply<T> {
  readonly body: T;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number | undefined;

  constructor(body: T, headers: Readonly<Record<string, string>> = {}, status?: number) {
    this.body = body;
    this.headers = headers;
    this.status = status;
  }
}

export interface Route<E extends Endpoint = Endpoint> {
  readonly endpoint: E;
  readonly handle: (call: Call<E>) => Promise<Answer<E>> | Answer<E>;
}

/** Joins an endpoint with its handler. */
export function route<E extends Endpoint>(
  endpoint: E,
  handle: (call: Call<E>) => Promise<Answer<E>> | Answer<E>,
): Route {
  return { endpoint, handle } as unknown as Route;
}

export interface HttpOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly authorizer: Authorizer;
  /** `null`: nothing is traced. */
  readonly tracer: Tracer | null;
}

/** An HTTP server with these routes; every one is authorized, validated, measured and rendered alike. */
export function createHttpServer(options: HttpOptions, routes: readonly Route[]): FastifyInstance {
  const app: FastifyInstance = fastify({
    bodyLimit: bodyBytesMax,
    routerOptions: { maxParamLength: 1_000, ignoreTrailingSlash: true },
    // Streams never end by themselves, so a stop ends them.
    forceCloseConnections: true,
    exposeHeadRoutes: false,
  });
  const strict = new Ajv({ coerceTypes: false, useDefaults: true, strict: false, allErrors: false });
  const coercing = new Ajv({ coerceTypes: true, useDefaults: true, strict: false, allErrors: false });
  app.setValidatorCompiler(({ schema, httpPart }) => {
    const part = httpPart === 'querystring' ? 'query' : (httpPart ?? 'request');
    // Compiled when it is first needed: most routes are not used for days, and each takes memory and time at the start.
    let validate: ValidateFunction | undefined;
    return (value: unknown) => {
      validate ??= (httpPart === 'body' ? strict : coercing).compile(schema as object);
      return validate(value) ? { value } : { error: validationError(validate.errors ?? [], part, value) };
    };
  });
  const compileSerializer = SerializerSelector()({}, {});
  app.setSerializerCompiler((definition) => {
    // As above: made at the start for every route, they take most of its time.
    let serialize: ReturnType<typeof compileSerializer> | undefined;
    return (value: unknown) =>
      (serialize ??= compileSerializer(definition as Parameters<typeof compileSerializer>[0]))(value);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, parseJson(String(body)));
    } catch (error) {
      done(error as Error);
    }
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `There is nothing at ${request.method} ${request.url.slice(0, 200)}.`;
    return send(reply, new HoldfastError('not_found', message));
  });
  app.setErrorHandler((error, request, reply) => {
    const known = toKnown(error, request.routeOptions.bodyLimit ?? bodyBytesMax);
    const { status } = renderError(known);
    // Refusals for too much load are counted; a line for each would be more of it.
    const isOverloaded = known instanceof HoldfastError && known.kind === 'overloaded';
    if (status >= 500 && !isOverloaded)
      options.log.error({ err: error, method: request.method, url: request.url }, 'request failed');
    return send(reply, known);
  });
  app.addHook('onResponse', (request, reply, done) => {
    const operation = (request.routeOptions.config as { operation?: string }).operation ?? 'unknown';
    options.metrics.onRequest(operation, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
  for (const one of routes) {
    if (one.endpoint.requestMedia !== 'bytes') register(app, options, one);
    else void app.register(async (scope) => registerBytes(scope, options, one));
  }
  return app;
}

/** A route whose body is left alone: no parser, no limit; the handler reads it at its own pace. */
function registerBytes(scope: FastifyInstance, options: HttpOptions, one: Route): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
  scope.addHook('onSend', async (request, reply, payload) => {
    if (!(await leaveBody(request.raw))) reply.header('connection', 'close');
    return payload;
  });
  register(scope, options, one);
}

function register(app: FastifyInstance, { authorizer, tracer }: HttpOptions, { endpoint, handle }: Route): void {
  const { method, alsoMethod, path, params, query, body, status, reply, media } = endpoint;
  const schema: Record<string, unknown> = {};
  if (params !== undefined) schema['params'] = params;
  if (query !== undefined) schema['querystring'] = query;
  if (body !== undefined) schema['body'] = body;
  if (media === undefined && status !== 204 && method !== 'HEAD') schema['response'] = { [status]: reply as TSchema };
  app.route({
    method: alsoMethod === undefined ? method : [method, alsoMethod],
    url: routePath(path),
    schema,
    config: { operation: endpoint.id },
    ...(endpoint.bodyBytesMax === undefined ? {} : { bodyLimit: endpoint.bodyBytesMax }),
    // Before the body is read: an unauthorized caller learns nothing of what would be valid.
    onRequest: (request, _reply, done) => {
      const pass = (caller: Caller) => {
        (request as unknown as Authorized).caller = caller;
        done();
      };
      try {
        const decided = authorizer.authorize(request, endpoint.role);
        if (decided instanceof Promise) decided.then(pass, done);
        else pass(decided);
      } catch (error) {
        done(error as Error);
      }
    },
    ...(body === undefined ? {} : { preValidation: allowEmptyBody }),
    handler: async (request, response) => {
      const answer =
        tracer === null ? await answered(request, response, null) : await traced(request, response, tracer);
      if (media === 'sse' || media === 'bytes') return response;
      if (answer instanceof SerializedReply) {
        return response.code(status).header('content-type', 'application/json; charset=utf-8').send(answer.text);
      }
      if (!(answer instanceof Reply)) return response.code(status).send(answer);
      return response
        .code(answer.status ?? status)
        .headers(answer.headers)
        .send(answer.body);
    },
  });

  function traced(request: FastifyRequest, response: FastifyReply, on: Tracer): Promise<unknown> {
    const parent = contextOf(headerOf(request, 'traceparent'));
    return withSpan(on, `${method} ${path}`, {}, parent, (span) => answered(request, response, traceparentOf(span)));
  }

  async function answered(
    request: FastifyRequest,
    response: FastifyReply,
    traceparent: string | null,
  ): Promise<unknown> {
    const { caller } = request as unknown as Authorized;
    const wish = endpoint.isIdempotent === true ? wishOf(request, caller, traceparent) : anonymousWish(caller);
    const { params: pathParams, query: queryParams, body: content } = request;
    const parts = {
      params: pathParams,
      query: queryParams,
      body: content,
      caller,
      wish,
      raw: request,
      reply: response,
    };
    return handle(parts as unknown as Call<Endpoint>);
  }
}

/** The router's form of a path: what follows a `{name+}` is told apart by the handler. */
function routePath(path: string): string {
  return path.replace(/\{\w+\+\}.*$/, '*').replaceAll(/\{(\w+)\}/g, ':$1');
}

interface Authorized {
  caller: Caller;
}

function anonymousWish(caller: Caller): Wish {
  return { actor: caller.name, idempotency: null };
}

/** The idempotency of a request: the key is the caller's own, and the hash covers what was asked for. */
function wishOf(request: FastifyRequest, caller: Caller, traceparent: string | null): Wish {
  const key = headerOf(request, 'idempotency-key');
  if (key === undefined) return { actor: caller.name, idempotency: null, traceparent };
  if (key.length === 0 || key.length > keyLengthMax) {
    const message = `The Idempotency-Key must have 1 to ${keyLengthMax} characters.`;
    throw new HoldfastError('invalid', message, { field: 'Idempotency-Key' });
  }
  const asked = JSON.stringify([request.routeOptions.url, request.params, request.body ?? null, request.query]);
  const requestHash = createHash('sha256').update(asked).digest('base64url');
  return { actor: caller.name, idempotency: { key: `${caller.id}:${key}`, requestHash }, traceparent };
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function send(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, body } = renderError(error);
  if (status === 429 || status === 503) void reply.header('retry-after', retryAfterOf(error) ?? '1');
  if (status === 401) void reply.header('www-authenticate', 'Bearer');
  return reply.code(status).type('application/json').send(JSON.stringify(body));
}

/** When to come again, where whoever refused knows it, in seconds. */
function retryAfterOf(error: unknown): string | null {
  const headers = error instanceof HoldfastError ? error.details['reply_headers'] : null;
  const value = (headers as Readonly<Record<string, unknown>> | null | undefined)?.['retry-after'];
  return typeof value === 'string' ? value : null;
}

/** Fastify's own refusals (too large, wrong media type, broken request) as errors of the caller. */
function toKnown(error: unknown, bytesMax: number): unknown {
  if (error instanceof HoldfastError) return error;
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return error;
  const sentences: Readonly<Record<number, string>> = {
    413: `The body is larger than ${bytesMax} bytes.`,
    415: 'The body must be JSON, with "content-type: application/json".',
  };
  const sentence = sentences[statusCode] ?? `The request is broken: ${message ?? statusCode}.`;
  return new HoldfastError('invalid', sentence, { http_status: statusCode });
}
