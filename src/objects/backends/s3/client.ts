import { hash } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { XmlElement } from '../../s3/command.ts';
import { emptySha256, unsignedPayload } from '../../s3/signature/payload-hash.ts';
import { signRequest } from '../../s3/signature/sign.ts';
import { Exchange } from '../http/exchange.ts';
import { HttpReply } from '../http/reply.ts';
import { BucketAddress, encodeQuery } from './address.ts';
import { DigestedStream } from './digest.ts';
import { errorIn, garbage, parseDocument, parseErrorBody } from './documents.ts';
import { type Refusal, refusalError } from './errors.ts';
import { isConnectionLost } from './outcome.ts';
import type { S3Settings } from './settings.ts';

const ERROR_BYTES_MAX = 65_536;
/** A page of 1,000 keys of 1,024 bytes, each byte as `%XX`, with what else a listing tells of a key. */
const DOCUMENT_BYTES_MAX = 8 * 1024 * 1024;

export interface S3Call {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** `null` for the bucket itself. */
  readonly key: string | null;
  readonly query?: Readonly<Record<string, string | number>>;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A buffer is signed with its hash; a stream is not, since its hash is known only at its end. */
  readonly body?: Buffer | DigestedStream;
  readonly signal: AbortSignal;
}

export interface S3Network {
  /** Resolves names of hosts in place of the system's resolver. */
  readonly lookup?: LookupFunction;
}

/** A small client of one bucket on one S3 server: signed requests, kept connections with a bound on their number. */
export class S3Client {
  /** For sentences, without secrets. */
  readonly who: string;
  readonly bucket: string;
  readonly #settings: S3Settings;
  readonly #address: BucketAddress;
  readonly #agent: HttpAgent;
  readonly #background = new Set<Promise<void>>();

  constructor(settings: S3Settings, { lookup }: S3Network = {}) {
    this.#settings = settings;
    this.#address = new BucketAddress(settings);
    this.who = `The S3 server at ${settings.endpoint.host}`;
    this.bucket = settings.bucket;
    const network = lookup === undefined ? {} : { lookup };
    const pool = { keepAlive: true, maxSockets: settings.connectionsMax, scheduling: 'lifo' as const, ...network };
    const trust = settings.ca === null ? {} : { ca: settings.ca };
    this.#agent = this.#isSecure ? new HttpsAgent({ ...pool, ...trust }) : new HttpAgent(pool);
  }

  /**
   * Sends a request and gives the answer if its status is among `fine`.
   *
   * @throws HoldfastError `unavailable` for a connection that fails or makes no progress, what `refusalError` says for
   * any other answer; the signal's reason as it is.
   */
  async call(call: S3Call, fine: readonly number[]): Promise<HttpReply> {
    const reply = await this.#request(call);
    if (fine.includes(reply.status)) return reply;
    throw await this.#refusalOf(reply, call);
  }

  /** As {@link call}, for an answer whose body tells nothing. */
  async done(call: S3Call, fine: readonly number[]): Promise<HttpReply> {
    const reply = await this.call(call, fine);
    await reply.drain();
    return reply;
  }

  /** As {@link call}, for an answer that is a document. An error inside an answer of 200 is thrown like any other. */
  async document(call: S3Call, rootName: string): Promise<XmlElement> {
    const reply = await this.call(call, [200]);
    const root = parseDocument(await reply.text(DOCUMENT_BYTES_MAX), this.who);
    if (root.name === rootName) return root;
    if (root.name !== 'Error') throw garbage(this.who, `is no ${rootName}`);
    // AWS: "If the error occurs after the copy action starts, the error response is embedded in the 200 OK response".
    throw refusalError({ ...this.#refusal(reply, call), ...errorIn(root), status: 500 });
  }

  /** Clears up without holding up the caller, until the client is closed. Whether it succeeds is nobody's concern. */
  inBackground(work: () => Promise<void>): void {
    const settled = work().catch(() => undefined);
    this.#background.add(settled);
    void settled.finally(() => this.#background.delete(settled));
  }

  async close(): Promise<void> {
    await Promise.all(this.#background);
    this.#agent.destroy();
  }

  get #isSecure(): boolean {
    return this.#settings.endpoint.protocol === 'https:';
  }

  /**
   * Sends one request. It is sent a second time when a kept connection turned out to be closed before anything of an
   * answer, or of a stream, had passed: servers close idle connections without asking.
   */
  async #request(call: S3Call): Promise<HttpReply> {
    for (let attempt = 1; ; attempt++) {
      call.signal.throwIfAborted();
      const exchange = this.#open(call);
      const sending = { hasStarted: false };
      try {
        return new HttpReply(await send(exchange, call, sending), exchange, this.who);
      } catch (error) {
        exchange.end(error);
        const isStale = exchange.isOnUsedConnection && isConnectionLost(error) && !sending.hasStarted;
        if (attempt > 1 || !isStale) throw error;
      }
    }
  }

  #open({ method, key, query = {}, headers = {}, body, signal }: S3Call): Exchange {
    const { connectTimeoutMs, idleTimeoutMs, credentials } = this.#settings;
    const isStream = body instanceof DigestedStream;
    const [rawPath, rawQuery] = [this.#address.path(key), encodeQuery(query)];
    const rawHeaders = Object.entries({
      host: this.#address.host,
      'user-agent': 'holdfast',
      'accept-encoding': 'identity',
      ...(body === undefined ? {} : { 'content-length': String(isStream ? body.sizeBytes : body.length) }),
      ...(isStream ? { expect: '100-continue' } : {}),
      ...headers,
    }).flat();
    const payloadHash = isStream ? unsignedPayload : hashOf(body);
    const signed = signRequest({ method, rawPath, rawQuery, rawHeaders }, credentials, {
      timeMs: Date.now(),
      payloadHash,
    });
    const request = (this.#isSecure ? httpsRequest : httpRequest)({
      agent: this.#agent,
      hostname: this.#address.hostname,
      port: this.#address.port,
      method,
      path: rawQuery === '' ? rawPath : `${rawPath}?${rawQuery}`,
      headers: pairsOf(signed),
    });
    return new Exchange(request, { who: this.who, connectTimeoutMs, idleTimeoutMs, signal });
  }

  async #refusalOf(reply: HttpReply, call: S3Call): Promise<HoldfastError> {
    const text = await errorText(reply);
    const { code, region } = parseErrorBody(text);
    const refusal = this.#refusal(reply, call);
    const isStranger = code === null && text.trim() !== '';
    return refusalError({ ...refusal, code, region: region ?? refusal.region, isStranger });
  }

  #refusal(reply: HttpReply, { method }: S3Call): Refusal {
    return {
      who: this.who,
      bucket: this.bucket,
      what: method,
      status: reply.status,
      code: null,
      region: /^[\w-]{1,64}$/.exec(reply.header('x-amz-bucket-region') ?? '')?.[0] ?? null,
      retryAfter: reply.header('retry-after'),
      date: reply.header('date'),
      isStranger: false,
    };
  }
}

function send(exchange: Exchange, { body }: S3Call, sending: { hasStarted: boolean }) {
  if (!(body instanceof DigestedStream)) return exchange.sendWhole(body ?? null);
  async function* noted(stream: DigestedStream): AsyncGenerator<Buffer> {
    sending.hasStarted = true;
    yield* stream.chunks();
  }
  return exchange.sendChunks(noted(body));
}

/** The body of a refusal; what cannot be read of it tells nothing, but the caller's own wish to stop still counts. */
async function errorText(reply: HttpReply): Promise<string> {
  try {
    return await reply.text(ERROR_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return '';
  }
}

function hashOf(body: Buffer | undefined): string {
  return body === undefined || body.length === 0 ? emptySha256 : hash('sha256', body, 'hex');
}

function pairsOf(rawHeaders: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) headers[rawHeaders[index]!] = rawHeaders[index + 1]!;
  return headers;
}
