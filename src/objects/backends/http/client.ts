import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { Exchange } from './exchange.ts';
import { HttpReply } from './reply.ts';

export interface HttpClientOptions {
  /** Scheme, host and port. */
  readonly origin: string;
  /** For sentences, without secrets: `The WebDAV server at files.example`. */
  readonly who: string;
  /** The value of the header, or `null` for none. */
  readonly authorization: string | null;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly connectionsMax: number;
  /** The authority of the server's certificate, as PEM; by default those that Node.js knows. */
  readonly ca?: Buffer;
}

export interface HttpCall {
  readonly method: string;
  /** Path and query, encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | HttpStream;
  readonly signal: AbortSignal;
}

/** A body that is read once, of a length that is known. */
export interface HttpStream {
  readonly sizeBytes: number;
  /** Gives the chunks; called once, and only when the peer is ready for them. */
  chunks(): AsyncGenerator<Buffer>;
}

/**
 * A small client of one server: kept connections with a bound on their number, bodies at the pace of both ends,
 * deadlines of progress, no redirects, no decoding of contents.
 */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #url: URL;
  readonly #agent: HttpAgent;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#url = new URL(options.origin);
    const pool = { keepAlive: true, maxSockets: options.connectionsMax, scheduling: 'lifo' as const };
    const { ca } = options;
    this.#agent =
      this.#url.protocol === 'https:' ? new HttpsAgent(ca === undefined ? pool : { ...pool, ca }) : new HttpAgent(pool);
  }

  /**
   * Sends one request. It is sent a second time when a kept connection turned out to be closed before anything of an
   * answer, or of a body that is read only once, had passed.
   *
   * @throws HoldfastError `unavailable` for a connection that fails or makes no progress; the signal's reason as it is.
   */
  async request(call: HttpCall): Promise<HttpReply> {
    for (let attempt = 1; ; attempt++) {
      call.signal.throwIfAborted();
      const started = { hasBodyStarted: false };
      const exchange = this.#open(call);
      try {
        const response = await this.#send(exchange, call, started);
        return new HttpReply(response, exchange, this.#options.who);
      } catch (error) {
        exchange.end(error);
        const isStale = exchange.isOnUsedConnection && isLostConnection(error) && !started.hasBodyStarted;
        if (attempt > 1 || !isStale) throw error;
      }
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #open({ method, path, headers = {}, body, signal }: HttpCall): Exchange {
    const { authorization, who, idleTimeoutMs, connectTimeoutMs } = this.#options;
    const isStream = body !== undefined && !Buffer.isBuffer(body);
    const length = isStream ? body.sizeBytes : body?.length;
    const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send({
      agent: this.#agent,
      hostname: this.#url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: this.#url.port,
      method,
      path,
      headers: {
        accept: '*/*',
        'accept-encoding': 'identity',
        'user-agent': 'holdfast',
        ...(authorization === null ? {} : { authorization }),
        ...(length === undefined ? {} : { 'content-length': String(length) }),
        ...(isStream ? { expect: '100-continue' } : {}),
        ...headers,
      },
    });
    return new Exchange(request, { who, idleTimeoutMs, connectTimeoutMs, signal });
  }

  #send(exchange: Exchange, { body }: HttpCall, started: { hasBodyStarted: boolean }) {
    if (body === undefined || Buffer.isBuffer(body)) return exchange.sendWhole(body ?? null);
    async function* noted(stream: HttpStream): AsyncGenerator<Buffer> {
      started.hasBodyStarted = true;
      yield* stream.chunks();
    }
    return exchange.sendChunks(noted(body));
  }
}

function isLostConnection(error: unknown): boolean {
  if (!(error instanceof HoldfastError) || error.kind !== 'unavailable') return false;
  const code = error.details['code'];
  return code === undefined ? error.cause === null : code === 'ECONNRESET' || code === 'EPIPE';
}
