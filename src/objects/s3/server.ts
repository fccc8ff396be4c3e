import { type IncomingMessage, STATUS_CODES, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ObjectErrorCode, objectError } from '../errors.ts';
import type { S3Command } from './command.ts';
import { commands as allCommands } from './commands/all.ts';
import { errorReply } from './error-reply.ts';
import { Exchange } from './exchange.ts';
import { type HandleOptions, createHandle } from './handle.ts';
import { type Limits, defaultLimits } from './limits.ts';
import { createRequestIds } from './request-ids.ts';
import { writeDocument } from './xml/writer.ts';

export interface S3ServerOptions extends Omit<HandleOptions, 'limits' | 'commands'> {
  readonly limits?: Partial<Limits>;
  /** All by default. */
  readonly commands?: readonly S3Command[];
  readonly metrics?: { onRequest(command: string, status: number, seconds: number): void };
}

export interface S3Server {
  /** Throws when the port is taken. Port 0 takes a free one. */
  listen(host: string, port: number): Promise<{ readonly url: string }>;
  /** Takes no more requests and waits for those under way, for a bounded time. */
  close(): Promise<void>;
}

/** Of a client that went away before it was answered, in metrics. */
const statusOfGone = 499;

/** The S3 endpoint on a port of its own (https://docs.aws.amazon.com/AmazonS3/latest/API/). */
export function createS3Server(options: S3ServerOptions): S3Server {
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const handle = createHandle({ ...options, limits, commands: options.commands ?? allCommands });
  const ids = createRequestIds();
  const exchanges = new WeakMap<Socket, Exchange>();
  let underWay = 0;
  const server = createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    // It would cut transfers that are slow but alive; bodies have a timeout of progress.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(5_000, limits.headersTimeoutMs),
    keepAliveTimeout: limits.idleTimeoutMs,
    // Values that Node would drop may have been signed.
    joinDuplicateHeaders: true,
    highWaterMark: 262_144,
    noDelay: true,
    // Refused below, with a request id.
    requireHostHeader: false,
  });
  server.maxConnections = limits.connectionsMax;
  // The bytes are bounded. Dropping headers beyond a number would drop what forbids something.
  server.maxHeadersCount = 0;

  const take = (request: IncomingMessage, response: ServerResponse, isExpecting: boolean) => {
    const startedMs = performance.now();
    const requestId = ids.next();
    const exchange = new Exchange(request, response, { requestId, hostId: ids.hostId }, { isExpecting, limits });
    exchanges.set(request.socket, exchange);
    underWay += 1;
    response.on('close', () => {
      exchange.close();
      underWay -= 1;
      const status = response.headersSent ? response.statusCode : statusOfGone;
      options.metrics?.onRequest(exchange.commandName, status, (performance.now() - startedMs) / 1000);
    });
    void handle(exchange, underWay > limits.requestsMax ? objectError('SlowDown') : null);
  };
  server.on('request', (request, response) => take(request, response, false));
  server.on('checkContinue', (request, response) => take(request, response, true));
  // An expectation that is not known may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', (request, response) => take(request, response, false));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const exchange = exchanges.get(socket as Socket);
    if (exchange !== undefined && !exchange.isOver) exchange.breakOff();
    else refuseBroken(error, socket, ids.next(), ids.hostId);
  });
  return {
    listen: (host, port) => listen(server, host, port),
    close: () => close(server, limits.closeTimeoutMs),
  };
}

/** Answers what is no request at all, as far as that is possible, and ends the connection. */
function refuseBroken(error: NodeJS.ErrnoException, socket: Duplex, requestId: string, hostId: string): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const refusal = objectError(codesOfBroken[error.code ?? ''] ?? 'BadRequest');
  const { status, element } = errorReply(refusal, '', requestId, hostId);
  const body = writeDocument(element);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Server: Holdfast',
    `Date: ${new Date().toUTCString()}`,
    `x-amz-request-id: ${requestId}`,
    `x-amz-id-2: ${hostId}`,
    'Content-Type: application/xml',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // A client that goes on sending would otherwise hold the connection.
  setTimeout(() => socket.destroy(), lingerMs).unref();
}

const lingerMs = 1_000;
const codesOfBroken: Readonly<Partial<Record<string, ObjectErrorCode>>> = {
  HPE_HEADER_OVERFLOW: 'RequestHeaderSectionTooLarge',
  ERR_HTTP_REQUEST_TIMEOUT: 'RequestTimeout',
};

async function listen(server: Server, host: string, port: number): Promise<{ readonly url: string }> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return { url: `http://${name}:${address.port}` };
}

async function close(server: Server, timeoutMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearTimeout(cut);
}
