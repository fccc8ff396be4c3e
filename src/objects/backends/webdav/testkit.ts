import { type IncomingMessage, type RequestListener, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ObjectBackend } from '../backend.ts';
import { webdavKind } from './webdav.ts';

export const password = 'not-to-be-shown';

export type Answers = Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>>;

/** A WebDAV server that says what a test tells it to, and the adapter's backend on it. */
export interface Peer extends AsyncDisposable {
  readonly backend: ObjectBackend;
  readonly url: string;
  /** The methods and paths that came. */
  readonly requests: readonly string[];
}

/** What an obliging server would say where a test has nothing to say. */
const obliging: Answers = {
  MKCOL: (_, response) => end(response, 405),
  PUT: (request, response) => void request.on('end', () => end(response, 201)).resume(),
  MOVE: (_, response) => end(response, 201),
  DELETE: (_, response) => end(response, 204),
  PROPFIND: (_, response) => end(response, 404),
  HEAD: (_, response) => end(response, 404),
  GET: (_, response) => end(response, 404),
};

export async function peer(answers: Answers, config: Readonly<Record<string, string>> = {}): Promise<Peer> {
  const requests: string[] = [];
  const answer: RequestListener = (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    request.on('error', () => undefined);
    (answers[request.method ?? ''] ?? obliging[request.method ?? ''] ?? obliging['GET']!)(request, response);
  };
  const server = createServer(answer);
  if (answers['EXPECT'] !== undefined) server.on('checkContinue', answers['EXPECT']);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/dav/`;
  const settings = { config: { url, username: 'somebody', ...config }, secrets: { password } };
  const backend = webdavKind.open(webdavKind.validate(settings));
  return {
    backend,
    url,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await backend.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function end(response: ServerResponse, status: number, headers: Record<string, string> = {}, body = ''): void {
  response.writeHead(status, headers).end(body);
}

export function multistatus(response: ServerResponse, xml: string): void {
  end(response, 207, { 'content-type': 'application/xml' }, xml);
}

/** The `response` of a file, as a server lists it. */
export function listed(href: string, sizeBytes: number | null = 1): string {
  const type = sizeBytes === null ? '<resourcetype><collection/></resourcetype>' : '<resourcetype/>';
  const size = sizeBytes === null ? '' : `<getcontentlength>${sizeBytes}</getcontentlength>`;
  const prop = `<prop>${type}${size}<getlastmodified>Sat, 21 Nov 2026 07:00:00 GMT</getlastmodified></prop>`;
  return `<response><href>${href}</href><propstat>${prop}<status>HTTP/1.1 200 OK</status></propstat></response>`;
}

export function listing(...responses: readonly string[]): string {
  return `<?xml version="1.0"?><multistatus xmlns="DAV:">${responses.join('')}</multistatus>`;
}

export function soon(ms = 10_000): AbortSignal {
  return AbortSignal.timeout(ms);
}

/** A check for `assert.rejects`: this kind, these details, and no secret in anything that might be shown. */
export function isError(kind: string, details: Readonly<Record<string, unknown>> = {}, words = /./) {
  return (error: unknown): boolean => {
    if (!(error instanceof HoldfastError)) return false;
    const shown = `${error.message}${JSON.stringify(error.details)}`;
    const hasSecret =
      shown.includes(password) || shown.includes(Buffer.from(`somebody:${password}`).toString('base64'));
    const hasDetails = Object.entries(details).every(([name, value]) => error.details[name] === value);
    if (error.kind === kind && hasDetails && !hasSecret && words.test(error.message)) return true;
    throw new Error(`expected ${kind} ${JSON.stringify(details)} ${words}, got ${error.kind} ${shown}`, {
      cause: error,
    });
  };
}
