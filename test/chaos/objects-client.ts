import { createHash } from 'node:crypto';
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { type SigningCredentials, signRequest } from '../../src/objects/s3/signature/sign.ts';

/** A request of S3 that is not signed yet. */
export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly bucket: string;
  readonly key?: string;
  /** As it stands on the wire. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** The client hangs up after so long, in milliseconds; as clients do. */
  readonly hangUpAfterMs?: number;
}

/** An answer that came whole. */
export interface S3Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * How a request ended: with an answer, or in a way that tells nothing of whether it was carried out (`unknown`), or without
 * ever having reached a server (`unsent`).
 */
export type S3Outcome =
  | ({ readonly kind: 'answer' } & S3Answer)
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'unsent' };

const timeoutMs = 12_000;

/** Sends signed requests to whichever server is told at the moment. */
export class S3Client {
  readonly #url: () => string;
  readonly #credentials: SigningCredentials;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(url: () => string, credentials: SigningCredentials) {
    this.#url = url;
    this.#credentials = credentials;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Never throws; an answer is whole, or there is none. */
  send(wish: S3Request): Promise<S3Outcome> {
    const base = this.#url();
    if (base === '') return Promise.resolve({ kind: 'unsent' });
    const { hostname, port, host } = new URL(base);
    const { method, body = Buffer.alloc(0), query = '' } = wish;
    const rawPath = `/${wish.bucket}${wish.key === undefined ? '' : `/${encodeKey(wish.key)}`}`;
    const rawHeaders = Object.entries({ host, ...wish.headers }).flat();
    const payloadHash = createHash('sha256').update(body).digest('hex');
    const signed = signRequest({ method, rawPath, rawQuery: query, rawHeaders }, this.#credentials, {
      timeMs: Date.now(),
      payloadHash,
    });
    const hasBody = method === 'PUT' || method === 'POST';
    if (hasBody) signed.push('content-length', String(body.length));
    const path = query === '' ? rawPath : `${rawPath}?${query}`;
    return new Promise((resolve) => {
      const sent = httpRequest({ hostname, port, method, path, headers: signed, agent: this.#agent });
      const limit = setTimeout(() => sent.destroy(new Error('it took too long')), timeoutMs);
      const hangUp = setTimeout(() => sent.destroy(new Error('the client hung up')), wish.hangUpAfterMs ?? timeoutMs);
      const end = (outcome: S3Outcome) => {
        clearTimeout(limit);
        clearTimeout(hangUp);
        resolve(outcome);
      };
      sent.on('error', (error: NodeJS.ErrnoException) =>
        end(error.code === 'ECONNREFUSED' ? { kind: 'unsent' } : { kind: 'unknown', reason: error.message }),
      );
      sent.on('response', (response) => void collect(response).then(end));
      sent.end(hasBody ? body : undefined);
    });
  }
}

async function collect(response: IncomingMessage): Promise<S3Outcome> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (error) {
    return { kind: 'unknown', reason: `the answer was cut: ${(error as Error).message}` };
  }
  if (!response.complete) return { kind: 'unknown', reason: 'the answer was cut' };
  const headers = response.headers as Record<string, string>;
  return { kind: 'answer', status: response.statusCode!, headers, body: Buffer.concat(chunks) };
}

/** A key in a path, or in `x-amz-copy-source`. */
export function encodeKey(key: string): string {
  const escape = (part: string) =>
    encodeURIComponent(part).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  return key.split('/').map(escape).join('/');
}
