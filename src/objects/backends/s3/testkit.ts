/** What the tests of the S3 backend share: backends on real servers, and a peer that plays faults on demand. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import type { Radosgw } from '../../../../test/support/radosgw.ts';
import { type ErrorKind, HoldfastError } from '../../../kernel/errors/errors.ts';
import { S3Backend, type S3Surroundings } from './s3.ts';
import { readS3, validateS3 } from './settings.ts';

export const MIB = 1024 * 1024;
export const secret = 'kq7-very-secret-secret';

type Config = Readonly<Record<string, string>>;

/** A backend on a real server. */
export function backendOn(gateway: Radosgw, config: Config, surroundings: S3Surroundings = {}): S3Backend {
  const { accessKey, secret: realSecret } = gateway.credentials;
  return backendOf({ endpoint: gateway.endpoint, ...config }, surroundings, accessKey, realSecret);
}

/** A backend with these settings. */
export function backendOf(
  config: Config,
  surroundings: S3Surroundings = {},
  accessKey = 'KEY',
  secretKey = secret,
): S3Backend {
  const secrets = { access_key_id: accessKey, secret_access_key: secretKey };
  return new S3Backend(readS3(validateS3({ config, secrets })), surroundings);
}

/** Every name is this machine, as a resolver for the hosts of buckets would say. */
export const loopback: LookupFunction = (_hostname, options, done) => {
  if (options.all === true) done(null, [{ address: '127.0.0.1', family: 4 }]);
  else done(null, '127.0.0.1', 4);
};

export function deadline(timeoutMs = 60_000): AbortSignal {
  return AbortSignal.timeout(timeoutMs);
}

/** A request as the peer got it. The body is there once it was read. */
export interface PeerRequest {
  /** Method and target, such as `PUT /bucket/key?uploads=`. */
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
}

export type PeerHandler = (request: IncomingMessage, response: ServerResponse, line: string) => void | Promise<void>;

/** A server on loopback that answers what a test says: faults that no real server plays on demand. */
export interface Peer extends AsyncDisposable {
  readonly requests: PeerRequest[];
  /** How many connections it took. */
  readonly connections: () => number;
  /** Closes every connection that is idle, as servers do after a while. */
  hangUp(): void;
  readonly backend: S3Backend;
}

/** For a peer that hangs; others have the usual idle time, since a busy machine may stand still for a while. */
export const hasty: Config = { idle_timeout_ms: '300' };

/** The backend has the bucket `bucket` in path style. */
export async function startPeer(handler: PeerHandler, config: Config = {}): Promise<Peer> {
  const requests: PeerRequest[] = [];
  let connections = 0;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const line = `${request.method} ${request.url}`;
    requests.push({ line, headers: request.headers });
    request.on('error', () => undefined);
    void handler(request, response, line);
  };
  const server = createServer(onRequest);
  // Whoever wants the body says so by reading it.
  server.on('checkContinue', onRequest);
  server.on('connection', () => connections++);
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const fixed = { endpoint: `http://127.0.0.1:${port}`, bucket: 'bucket' };
  const backend = backendOf({ ...fixed, ...config });
  return {
    requests,
    connections: () => connections,
    hangUp: () => server.closeIdleConnections(),
    backend,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await backend.close();
    },
  };
}

export function answer(
  response: ServerResponse,
  status: number,
  body = '',
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers }).end(body);
}

export function errorXml(code: string, more = ''): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>no</Message>${more}</Error>`;
}

/** Reads all of a request's body, telling the client to go on if it asks. */
export async function bodyOf(request: IncomingMessage, response: ServerResponse): Promise<Buffer> {
  if (request.headers.expect === '100-continue') response.writeContinue();
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A check for `assert.rejects`: an error of ours, with details, whose sentence is for people and holds no secret. */
export function isError(kind: ErrorKind, details: Readonly<Record<string, unknown>> = {}, words = /./) {
  return (error: unknown): true => {
    assert.ok(error instanceof HoldfastError, `not an error of ours: ${String(error)}`);
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, /^[A-Z].{8,}[.]$/s);
    assert.match(error.message, words);
    assert.ok(!JSON.stringify([error.message, error.details]).includes(secret), 'no secret is told');
    for (const [name, value] of Object.entries(details)) assert.deepEqual(error.details[name], value, error.message);
    return true;
  };
}
