import { noAnswer } from './client-failure.ts';
import { HoldfastError } from './kernel/errors/errors.ts';
import type { BodyOf, Endpoint, ParamsOf, QueryOf, ReplyOf } from './kernel/http/contract.ts';
import { parseJson } from './kernel/http/json.ts';
import type { ErrorBody } from './kernel/http/errors.ts';

export interface ClientOptions {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Deadline of one request; streams have none. */
  readonly timeoutMs?: number;
}

/** The parts of a request, where the endpoint has them. */
export type RequestOf<E> = {
  readonly params?: ParamsOf<E>;
  readonly query?: QueryOf<E>;
  readonly body?: BodyOf<E>;
  readonly idempotencyKey?: string;
};

/** An error that the server gave, with its status. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: ErrorBody;

  constructor(status: number, body: ErrorBody) {
    super(body.error);
    this.name = 'ApiError';
    this.status = status;
    this.body = body;
  }
}

/** One event of a stream. */
export interface StreamEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: unknown;
}

const eventBytesMax = 1_048_576;

/** A typed client of the API, made of the same contract as the server. */
export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.url;
  }

  /** What it was made of, for the client of bytes beside it. */
  get options(): ClientOptions {
    return this.#options;
  }

  /**
   * Calls an endpoint. Throws {@link ApiError} for an answer that is an error, and `unavailable` when there is none.
   * Integers beyond 2^53 come as decimal text. `signal` ends it before its deadline.
   */
  async call<E extends Endpoint>(endpoint: E, request: RequestOf<E> = {}, signal?: AbortSignal): Promise<ReplyOf<E>> {
    const deadline = AbortSignal.timeout(this.#options.timeoutMs ?? 60_000);
    const end = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
    const response = await this.#send(endpoint, request, end);
    const text = await response.text().catch((error: unknown) => {
      throw noAnswer(this.url, error);
    });
    if (!response.ok) throw new ApiError(response.status, toErrorBody(text, response.status));
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return (isJson ? parseJson(text) : text) as ReplyOf<E>;
  }

  /** Reads a stream until it ends or `signal` aborts. */
  async *stream<E extends Endpoint>(
    endpoint: E,
    request: RequestOf<E>,
    options: { readonly lastEventId?: string | null; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<StreamEvent> {
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (options.lastEventId != null) headers['last-event-id'] = options.lastEventId;
    const response = await this.#send(endpoint, request, options.signal, headers);
    if (!response.ok) throw new ApiError(response.status, toErrorBody(await response.text(), response.status));
    let buffer = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      buffer += chunk;
      if (buffer.length > eventBytesMax) throw new HoldfastError('backend', 'An event of the stream is too large.');
      for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
        const event = parseEvent(buffer.slice(0, end));
        buffer = buffer.slice(end + 2);
        if (event !== null) yield event;
      }
    }
  }

  async #send<E extends Endpoint>(
    endpoint: E,
    request: RequestOf<E>,
    signal: AbortSignal | undefined,
    extra: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const { url, token } = this.#options;
    const headers: Record<string, string> = { ...extra };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    if (request.idempotencyKey !== undefined) headers['idempotency-key'] = request.idempotencyKey;
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    const body = request.body === undefined ? {} : { body: JSON.stringify(request.body, bigintAsText) };
    try {
      return await fetch(new URL(pathOf(endpoint, request), url), {
        method: endpoint.method,
        headers,
        ...body,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (signal?.aborted !== true) throw noAnswer(url, error);
      throw (signal.reason as Error).name === 'TimeoutError' ? tooLate(url) : error;
    }
  }
}

function tooLate(url: string): HoldfastError {
  return new HoldfastError('unavailable', `${url} did not answer in time.`, { connection: 'broken' });
}

function pathOf<E extends Endpoint>(endpoint: E, request: RequestOf<E>): string {
  const params = (request.params ?? {}) as Record<string, string>;
  // A rest of a path keeps its slashes: they are part of its name, and of the address that people know.
  const path = endpoint.path.replaceAll(/\{(\w+)(\+?)\}/g, (_match, name: string, rest: string) =>
    rest === '' ? encodeURIComponent(params[name]!) : params[name]!.split('/').map(encodeURIComponent).join('/'),
  );
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries((request.query ?? {}) as Record<string, unknown>)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

/** The body of an error, also where what answered was not our server. */
export function toErrorBody(text: string, status: number): ErrorBody {
  try {
    const body = JSON.parse(text) as Partial<ErrorBody>;
    if (typeof body.error === 'string' && body.code !== undefined) return body as ErrorBody;
  } catch {
    // Not ours: a proxy in between, for example.
  }
  const error = `The server answered ${status}, and not as Holdfast does: look at its URL and at what is in between.`;
  return { error, code: 'INTERNAL_ERROR' };
}

function parseEvent(text: string): StreamEvent | null {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart());
  }
  const data = fields.get('data');
  if (data === undefined) return null;
  return { id: fields.get('id') ?? null, event: fields.get('event') ?? 'message', data: parseJson(data) };
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
