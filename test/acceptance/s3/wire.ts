import { hash } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { type Socket, connect } from 'node:net';
import { type SigningCredentials, signRequest } from '../../../src/objects/s3/signature/sign.ts';

const timeoutMs = 60_000;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** A request as it stands on the wire: nothing of its target is normalised or encoded. */
export interface Ask {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** `null` sends no signature. */
  readonly as?: SigningCredentials | null;
  /** As it is signed; that of the body by default. */
  readonly payloadHash?: string;
  /** When it was signed. */
  readonly timeMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The code of an error; empty when there is none in the body. */
  readonly code: string;
}

/** Headers of a signed request, names and values in turn. */
export function signedHeaders(baseUrl: string, ask: Ask, as: SigningCredentials): string[] {
  const { method, target, headers = {}, body = '', timeMs = Date.now() } = ask;
  const [rawPath, rawQuery] = splitOnce(target, '?');
  const host = headers['host'] ?? new URL(baseUrl).host;
  const others = Object.entries(headers).filter(([name]) => name !== 'host');
  const rawHeaders = ['host', host, ...others.flat()];
  const payloadHash = ask.payloadHash ?? hash('sha256', body, 'hex');
  return signRequest({ method, rawPath, rawQuery, rawHeaders }, as, { timeMs, payloadHash });
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Sends a request, signed when `as` is somebody. */
export function sendTo(baseUrl: string, ask: Ask, as: SigningCredentials | null): Promise<Answer> {
  const { method, target, body } = ask;
  const raw = as === null ? Object.entries(ask.headers ?? {}).flat() : signedHeaders(baseUrl, ask, as);
  const { hostname, port, host } = new URL(baseUrl);
  if (!raw.some((text, index) => index % 2 === 0 && text === 'host')) raw.unshift('host', host);
  const hasLength = raw.some((text, index) => index % 2 === 0 && text === 'content-length');
  if (!hasLength && (body !== undefined || method === 'PUT' || method === 'POST')) {
    raw.push('content-length', String(Buffer.byteLength(body ?? '')));
  }
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const options = { agent, hostname, port, method, path: target, headers: raw, setHost: false, signal };
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(answerOf(response.statusCode!, response.headers, Buffer.concat(chunks))));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** As a browser asks: with what `fetch` does to a URL, and without a signature. In bounded time. */
export function browse(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) });
}

/** A connection of the test's own, which is broken when nothing passes for long. */
export function openSocket(baseUrl: string, options: { readonly allowHalfOpen?: boolean } = {}): Socket {
  const { hostname, port } = new URL(baseUrl);
  const socket = connect({ host: hostname, port: Number(port), ...options });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error('nothing came for long')));
  return socket;
}

function answerOf(status: number, headers: IncomingHttpHeaders, body: Buffer): Answer {
  const text = body.length > 1_048_576 ? '' : body.toString();
  return { status, headers, body, text, code: status < 300 ? '' : (textsOf(text, 'Code')[0] ?? '') };
}

/** The texts of all elements of this name in an XML document, in order, entities resolved. */
export function textsOf(xml: string, element: string): string[] {
  const pattern = new RegExp(`<${element}(?: [^>]*)?>([^<]*)</${element}>|<${element}/>`, 'g');
  return [...xml.matchAll(pattern)].map(([, text = '']) => unescapeXml(text));
}

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, (whole, hex?: string, decimal?: string, name = '') => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return Number.isNaN(code) ? (named[name] ?? whole) : String.fromCodePoint(code);
  });
}

/**
 * Writes these bytes, in turn, on a connection of its own, and gives what came back: until an answer was whole, or the
 * connection was closed. With `isEnded`, the client ends its side.
 */
export function rawExchange(
  baseUrl: string,
  parts: readonly (string | Buffer)[],
  { isEnded = false }: { readonly isEnded?: boolean } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(baseUrl, { allowHalfOpen: true });
    let received = '';
    const done = () => {
      socket.destroy();
      resolve(received);
    };
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (isWhole(received)) done();
    });
    socket.on('error', (error) => (received === '' ? reject(error) : done()));
    socket.on('end', done);
    for (const part of parts) socket.write(part);
    if (isEnded) socket.end();
  });
}

/** Whether a final answer is there with all of its body. */
function isWhole(received: string): boolean {
  const final = withoutInterim(received);
  const end = final.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /^content-length: (\d+)/im.exec(final.slice(0, end))?.[1];
  return length !== undefined && final.length >= end + 4 + Number(length);
}

function withoutInterim(received: string): string {
  return received.replace(/^(HTTP\/1\.1 1\d\d[^]*?\r\n\r\n)+/, '');
}

/** The status and the error code of what {@link rawExchange} gave. */
export function outcomeOf(received: string): { readonly status: number; readonly code: string } {
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(withoutInterim(received))?.[1] ?? 0);
  return { status, code: /<Code>(\w+)/.exec(received)?.[1] ?? '' };
}

/** A request line with headers, as text. */
export function headText(method: string, target: string, rawHeaders: readonly string[]): string {
  const lines = [`${method} ${target} HTTP/1.1`];
  for (let index = 0; index < rawHeaders.length; index += 2)
    lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
