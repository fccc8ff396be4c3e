import { Agent, type IncomingMessage, type ClientRequest, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { noAnswer } from './client-failure.ts';
import { ApiError, type ClientOptions, toErrorBody } from './client.ts';
import { HoldfastError } from './kernel/errors/errors.ts';
import type { ErrorBody } from './kernel/http/errors.ts';
import { parseJson } from './kernel/http/json.ts';

const defaultIdleTimeoutMs = 120_000;
/** The largest JSON answer that is read: a page of a thousand objects with all their metadata fits. */
const jsonBytesMax = 67_108_864;
const retryAfterSecondsMax = 3_600;

/** An error that the server gave, and when it wants to be asked again. */
export class Refused extends ApiError {
  readonly retryAfterMs: number | null;

  constructor(status: number, body: ErrorBody, retryAfterMs: number | null) {
    super(status, body);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Bytes of a length that is known before the first one. */
export interface OutgoingBytes {
  readonly sizeBytes: number;
  readonly chunks: AsyncIterable<Buffer>;
}

export interface ByteRequest {
  readonly method: string;
  /** As it goes over the wire, with its query: `..` and `//` are not taken away from it. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: OutgoingBytes;
  readonly signal?: AbortSignal | undefined;
  /** How long the connection may stay without any progress, in milliseconds. */
  readonly idleTimeoutMs?: number;
}

/**
 * The API for bodies that are bytes and for addresses that contain keys. `fetch` cannot announce the length of a stream, and
 * it rewrites addresses: a key with `..` would become another address. Nothing is held in memory but what is on its way.
 */
export class ByteClient {
  readonly #options: ClientOptions;
  readonly #base: URL;
  readonly #agent: Agent;
  /** Whether the server was there once: then it is worth waiting for. */
  #hasAnswered = false;

  constructor(options: ClientOptions, connectionsMax = 64) {
    this.#options = options;
    this.#base = new URL(options.url);
    const settings = { keepAlive: true, maxSockets: connectionsMax };
    this.#agent = this.#base.protocol === 'https:' ? new TlsAgent(settings) : new Agent(settings);
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * Sends a request; resolves when the headers of a success are here. The answer's body must then be read to its end or
   * destroyed. Throws {@link Refused} for an error of the server, `unavailable` when there is no answer or the connection
   * breaks, and whatever the source of the bytes throws.
   */
  async send(request: ByteRequest): Promise<IncomingMessage> {
    const outgoing = this.#open(request);
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      // Stays for good: what breaks after the answer breaks the answer's body, which tells it too.
      outgoing.on('error', reject);
    });
    const source: { error?: unknown } = {};
    const sending = sendBody(outgoing, request.body, source);
    let response: IncomingMessage;
    try {
      response = await answer;
    } catch (error) {
      await sending;
      throw 'error' in source ? source.error : this.#broken(error, request.signal);
    }
    this.#hasAnswered = true;
    const { statusCode: status = 0 } = response;
    if (status >= 200 && status < 300) return response;
    // A server that refuses need not read the rest of the body, and then it reads nothing else on this connection either.
    if (request.body !== undefined) outgoing.shouldKeepAlive = false;
    const text = await readText(response).catch(() => '');
    if (request.body !== undefined) response.socket.destroy();
    throw new Refused(status, toErrorBody(text, status), parseRetryAfter(response.headers['retry-after']));
  }

  /** Sends a request with an optional JSON body, and reads the JSON answer. Throws as {@link send} does. */
  async json<T>(request: Omit<ByteRequest, 'body'>, body?: unknown): Promise<T> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = { ...request.headers, ...(bytes === undefined ? {} : { 'content-type': 'application/json' }) };
    const sent = bytes === undefined ? {} : { body: { sizeBytes: bytes.length, chunks: once(bytes) } };
    const response = await this.send({ ...request, headers, ...sent });
    return parseJson(await this.text(response, request.signal)) as T;
  }

  /** An answer's body as text. Throws `unavailable` when the connection breaks. */
  async text(response: IncomingMessage, signal?: AbortSignal): Promise<string> {
    try {
      return await readText(response);
    } catch (error) {
      throw this.#broken(error, signal);
    }
  }

  /** An answer's body as it comes. Throws `unavailable` when the connection breaks before its end. */
  async *bytes(response: IncomingMessage, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const chunks = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await chunks.next().catch((error: unknown) => {
          throw this.#broken(error, signal);
        });
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      response.destroy();
    }
  }

  #open({ method, path, headers, body, signal, idleTimeoutMs = defaultIdleTimeoutMs }: ByteRequest): ClientRequest {
    const { token } = this.#options;
    const { protocol, hostname, port } = this.#base;
    const open = protocol === 'https:' ? tlsRequest : plainRequest;
    const request = open({
      agent: this.#agent,
      // An IPv6 address has brackets in a URL only.
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port,
      method,
      path,
      headers: {
        ...headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-length': body.sizeBytes }),
      },
      ...(signal === undefined ? {} : { signal }),
    });
    request.setTimeout(idleTimeoutMs, () => request.destroy(new Error(`nothing moved for ${idleTimeoutMs / 1000} s`)));
    return request;
  }

  #broken(error: unknown, signal: AbortSignal | undefined): unknown {
    if (error instanceof HoldfastError) return error;
    if (signal?.aborted === true) return signal.reason;
    return noAnswer(this.#options.url, error, this.#hasAnswered);
  }
}

/** Whether a connection that stood broke, so that the same request may do better. */
export function isBrokenConnection(error: unknown): boolean {
  return error instanceof HoldfastError && error.details['connection'] === 'broken';
}

/** Writes the body at the pace of the connection. What the source throws ends the request, and is kept for the caller. */
async function sendBody(
  request: ClientRequest,
  body: OutgoingBytes | undefined,
  source: { error?: unknown },
): Promise<void> {
  let isOver = false;
  let wake = () => {};
  const end = () => {
    isOver = true;
    wake();
  };
  request
    .once('response', end)
    .once('close', end)
    .on('drain', () => wake());
  try {
    for await (const chunk of body?.chunks ?? []) {
      if (isOver) return;
      if (request.write(chunk)) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (isOver) resolve();
      });
      if (isOver) return;
    }
    request.end();
  } catch (error) {
    source.error = error;
    request.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > jsonBytesMax) throw new HoldfastError('backend', 'The answer of the server is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length).toString();
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** `Retry-After` in seconds (RFC 9110, 10.2.3); its form as a date is not one that our server uses. */
function parseRetryAfter(header: string | undefined): number | null {
  return header !== undefined && /^\d{1,9}$/.test(header)
    ? Math.min(Number(header), retryAfterSecondsMax) * 1000
    : null;
}
