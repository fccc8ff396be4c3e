import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { type Socket, connect } from 'node:net';
import { hash } from 'node:crypto';
import { type FreshStore, type GatewayWorld, memoryBackends, openWorld } from '../../../test/objects/world.ts';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { until } from '../../../test/support/wait.ts';
import { createIdSource, systemClock } from '../../kernel/ids.ts';
import { toSecretKey } from '../../kernel/secrets/secret-key.ts';
import { createSealer } from '../../kernel/secrets/sealer.ts';
import { createLog } from '../../kernel/telemetry/log.ts';
import { AccessService } from '../access/service.ts';
import { StoreAccess } from '../access/store-access.ts';
import type { MemoryObjectBackend } from '../backends/memory/memory.ts';
import type { RootKeys } from '../encryption/load-root-keys.ts';
import { createS3Server, type S3ServerOptions } from './server.ts';
import { type SigningCredentials, presign, signRequest } from './signature/sign.ts';

const region = 'us-east-1';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** As it is signed; the body's own by default. */
  readonly payloadHash?: string;
  /** `null` sends no signature. */
  readonly as?: SigningCredentials | null;
}

/** The S3 endpoint on a real gateway, with its store, its backend and its clients in a test's hands. */
export interface S3Stage {
  readonly world: GatewayWorld;
  readonly backend: MemoryObjectBackend;
  readonly access: AccessService;
  readonly url: URL;
  readonly owner: SigningCredentials;
  readonly requests: { readonly command: string; readonly status: number }[];
  readonly keyUses: string[];
  /** Signs and sends a request; `target` is path and query as they stand on the wire. */
  ask(method: string, target: string, options?: Ask): Promise<Answer>;
  /** The query of a presigned URL for it. */
  presigned(method: string, target: string, headers?: Readonly<Record<string, string>>): string;
  /** Headers of a signed request, names and values in turn. */
  sign(method: string, target: string, headers: readonly string[], payloadHash: string): string[];
  /** Writes bytes as they are and reads until `isEnough`, or until the connection ends. */
  raw(text: string | Buffer, isEnough?: (received: string) => boolean): Promise<string>;
  connect(): Socket;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openStage(
  options: Partial<S3ServerOptions> = {},
  engine?: FreshStore,
  rootKeys: RootKeys | null = null,
): Promise<S3Stage> {
  const directory = await temporaryDirectory();
  const backends = memoryBackends(1);
  const world = await openWorld(engine ?? fileIn(directory.path), backends, rootKeys);
  const { store, gateway } = world;
  const sealer = createSealer(toSecretKey(Buffer.alloc(32, 1), 'test'));
  const storeAccess = new StoreAccess({ store, sealer });
  const access = new AccessService({ store, sealer, newId: createIdSource(), clock: systemClock });
  const { key, secret } = await access.createKey('test', { user: null, label: '', bucket: null, permissions: null });
  const owner = { accessKey: key.accessKey, secret, region };
  const requests: { command: string; status: number }[] = [];
  const keyUses: string[] = [];
  const server = createS3Server({
    gateway,
    access: storeAccess,
    clock: systemClock,
    log: createLog({ level: 'silent' }),
    region,
    baseDomains: ['s3.test'],
    metrics: { onRequest: (command, status) => void requests.push({ command, status }) },
    onKeyUse: (accessKey) => void keyUses.push(accessKey),
    ...options,
  });
  const url = new URL((await server.listen('127.0.0.1', 0)).url);
  const sign = (method: string, target: string, headers: readonly string[], payloadHash: string, as = owner) =>
    signRequest({ method, ...split(target), rawHeaders: headers }, as, { timeMs: Date.now(), payloadHash });
  return {
    world,
    backend: backends[0]!.backend,
    access,
    url,
    owner,
    requests,
    keyUses,
    sign,
    ask: (method, target, { headers = {}, body = '', payloadHash, as = owner } = {}) => {
      const content = Buffer.from(body);
      const plain = ['host', headers['host'] ?? url.host];
      for (const [name, value] of Object.entries(headers)) if (name !== 'host') plain.push(name, value);
      if (method !== 'GET' && method !== 'HEAD' && headers['content-length'] === undefined) {
        plain.push('content-length', String(content.length));
      }
      const hashed = payloadHash ?? hash('sha256', content, 'hex');
      return send(url, method, target, as === null ? plain : sign(method, target, plain, hashed, as), content);
    },
    presigned: (method, target, headers = {}) => {
      const rawHeaders = ['host', url.host, ...Object.entries(headers).flat()];
      const query = presign({ method, ...split(target), rawHeaders }, owner, {
        timeMs: Date.now(),
        expiresSeconds: 60,
      });
      return `${split(target).rawPath}?${query}`;
    },
    raw: (text, isEnough) => raw(url, text, isEnough),
    connect: () => connect(Number(url.port), url.hostname),
    async [Symbol.asyncDispose]() {
      await server.close();
      await storeAccess.close();
      await world.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** The store of a process that is given no other: a file. */
function fileIn(dataDirectory: string): FreshStore {
  return {
    fresh: async (migrations = []) => ({ databaseUrl: undefined, dataDirectory, timeoutMs: 5_000, migrations }),
  };
}

function split(target: string): { rawPath: string; rawQuery: string } {
  const at = target.indexOf('?');
  return at < 0 ? { rawPath: target, rawQuery: '' } : { rawPath: target.slice(0, at), rawQuery: target.slice(at + 1) };
}

function send(url: URL, method: string, path: string, headers: readonly string[], body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname: host, port } = url;
    const request = httpRequest({ host, port, method, path, headers: [...headers], agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const content = Buffer.concat(chunks);
        const { statusCode: status = 0, headers: received } = response;
        resolve({ status, headers: received, body: content, text: content.toString() });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function raw(url: URL, text: string | Buffer, isEnough = (_received: string) => false): Promise<string> {
  const socket = connect(Number(url.port), url.hostname);
  let received = '';
  let isClosed = false;
  socket.on('data', (chunk) => (received += chunk.toString('latin1')));
  socket.on('close', () => (isClosed = true));
  socket.on('error', () => {});
  socket.write(text);
  await until('an answer or the end of the connection', () => isClosed || isEnough(received));
  socket.destroy();
  return received;
}
