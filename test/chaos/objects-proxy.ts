import { once } from 'node:events';
import { Agent, type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { SeededRandom } from './objects-random.ts';

/**
 * What a backend does instead of working: answer slowly, not at all (`hang`), take no connection (`refuse`), cut connections
 * in the middle of anything (`cut`), answer with errors (`fail`), have no room (`full`), give fewer bytes with a length to
 * match (`short`), give other bytes (`corrupt`), say that what is there is not (`absent`), say of changes that they were made
 * and make none (`forget`), or keep only the beginning of what it says it has taken (`clip`). It never says that it deleted
 * what it did not: nobody could account for such bytes but by finding them.
 */
export const faultModes = [
  'slow',
  'hang',
  'refuse',
  'cut',
  'fail',
  'full',
  'short',
  'corrupt',
  'absent',
  'forget',
  'clip',
] as const;
export type FaultMode = (typeof faultModes)[number] | 'none';

const changes = new Set(['PUT', 'MKCOL', 'MOVE', 'COPY']);
/** Modes that let some exchanges pass unharmed, and how many they do not: what is half right is harder. */
const mayMiss: ReadonlySet<FaultMode> = new Set(['corrupt', 'forget', 'clip']);
const hitShare = 0.65;
const hangPollMs = 20;
const slowMs = 15;
const replyTimeoutMs = 5_000;

/** Stands between a gateway and a real WebDAV server, and does to their exchanges what the mode of the moment says. */
export class FaultProxy {
  readonly #target: URL;
  readonly #random: SeededRandom;
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true });
  mode: FaultMode = 'none';
  /** How many exchanges each mode has changed, or had the chance to where that is not known beforehand. */
  readonly met: Partial<Record<FaultMode, number>> = {};

  constructor(target: URL, random: SeededRandom) {
    this.#target = target;
    this.#random = random;
    this.#server = createServer((asked, answer) => {
      asked.on('error', () => undefined);
      answer.on('error', () => undefined);
      this.#exchange(asked, answer).catch(() => answer.destroy());
    });
  }

  /** Its own address with the target's path. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#target.pathname}`;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #exchange(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const mode = this.mode;
    const method = asked.method ?? '';
    const hits = hitsOf(mode, method) && (!mayMiss.has(mode) || this.#random.isChance(hitShare));
    if (!hits) return this.#forward(asked, answer, 'none');
    this.met[mode] = (this.met[mode] ?? 0) + 1;
    if (mode === 'refuse') return void asked.socket.destroy();
    if (mode === 'fail') return refuse(asked, answer, this.#random.pick([500, 502, 503]));
    if (mode === 'full') return refuse(asked, answer, 507);
    if (mode === 'absent') return refuse(asked, answer, 404);
    if (mode === 'hang' && !(await this.#outlast(answer))) return;
    if (mode === 'forget') return pretend(asked, answer);
    if (mode === 'clip') return this.#clip(asked, answer);
    await this.#forward(asked, answer, mode);
  }

  /** Waits until it hangs no more. Half of those that waited are cut then; gives whether to go on. */
  async #outlast(answer: ServerResponse): Promise<boolean> {
    while (this.mode === 'hang' && !answer.destroyed) await delay(hangPollMs);
    if (!answer.destroyed && this.#random.isChance(0.5)) return true;
    answer.destroy();
    return false;
  }

  /** Has the target keep the beginning of a body, and answers for the whole. */
  async #clip(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks = await asked.toArray();
    const whole = Buffer.concat(chunks as Buffer[]);
    const body = whole.subarray(0, this.#random.below(whole.length));
    const { hostname, port, host } = this.#target;
    const headers = { ...asked.headers, host, 'content-length': String(body.length) };
    delete headers['transfer-encoding'];
    const { method, url: path } = asked;
    const sent = request({ hostname, port, method, path, headers, agent: this.#agent, timeout: replyTimeoutMs });
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.end(body);
    const [reply] = (await once(sent, 'response')) as [IncomingMessage];
    reply.resume();
    answer.writeHead(reply.statusCode ?? 502, { 'content-length': '0' }).end();
  }

  async #forward(asked: IncomingMessage, answer: ServerResponse, mode: FaultMode): Promise<void> {
    const { host } = this.#target;
    const headers: Record<string, string | string[] | undefined> = { ...asked.headers, host };
    const { destination } = headers;
    if (typeof destination === 'string')
      headers['destination'] = new URL(new URL(destination).pathname, this.#target).href;
    const { hostname, port } = this.#target;
    const { method, url: path } = asked;
    const sent = request({ hostname, port, method, path, headers, agent: this.#agent });
    const isOver = () => answer.destroyed || sent.destroyed;
    const replied = new Promise<IncomingMessage>((resolve, reject) => {
      sent.on('response', resolve);
      sent.on('error', reject);
      // A client that is gone takes its request with it.
      answer.on('close', () => {
        if (answer.writableFinished) return;
        sent.destroy();
        reject(new Error('the client is gone'));
      });
    });
    replied.catch(() => undefined);
    const cutAt = mode === 'cut' ? this.#random.pick([0, 100, 5_000, 200_000, 2_000_000]) : Number.POSITIVE_INFINITY;
    const cutsRequest = this.#random.isChance(0.5);
    const askedWhole = await this.#carry(asked, sent, {
      mode,
      cutAt: cutsRequest ? cutAt : Number.POSITIVE_INFINITY,
      isOver,
    });
    if (!askedWhole) return void (sent.destroy(), answer.destroy());
    sent.end();
    const reply = await replied;
    reply.on('error', () => undefined);
    await this.#answer(reply, answer, {
      mode,
      method: method ?? '',
      cutAt: cutsRequest ? Number.POSITIVE_INFINITY : cutAt,
    });
  }

  async #answer(
    reply: IncomingMessage,
    answer: ServerResponse,
    { mode, method, cutAt }: { readonly mode: FaultMode; readonly method: string; readonly cutAt: number },
  ): Promise<void> {
    if (this.mode === 'hang' && !(await this.#outlast(answer))) return;
    if (cutAt === 0) return void answer.destroy();
    const status = reply.statusCode ?? 502;
    const length = Number(reply.headers['content-length'] ?? Number.NaN);
    const isBlob = method === 'GET' && (status === 200 || status === 206) && length > 0;
    const headers = { ...reply.headers };
    let keepBytes = Number.POSITIVE_INFINITY;
    let flipAt = -1;
    if (isBlob && mode === 'short') {
      keepBytes = this.#random.below(length);
      headers['content-length'] = String(keepBytes);
    }
    if (isBlob && mode === 'corrupt') flipAt = this.#random.below(length);
    answer.writeHead(status, headers);
    const isOver = () => answer.destroyed;
    const isWhole = await this.#carry(reply, answer, { mode, cutAt, isOver, keepBytes, flipAt });
    if (isWhole) answer.end();
    else answer.destroy();
  }

  /** Carries bytes over, as the mode wants it; gives whether it came to their end. */
  async #carry(
    from: IncomingMessage,
    to: Writable,
    way: {
      readonly mode: FaultMode;
      readonly cutAt: number;
      readonly isOver: () => boolean;
      readonly keepBytes?: number;
      readonly flipAt?: number;
    },
  ): Promise<boolean> {
    const { mode, cutAt, isOver, keepBytes = Number.POSITIVE_INFINITY, flipAt = -1 } = way;
    let countBytes = 0;
    try {
      for await (let chunk of from as AsyncIterable<Buffer>) {
        while (this.mode === 'hang' && !isOver()) await delay(hangPollMs);
        if (mode === 'slow') await delay(slowMs);
        if (isOver()) return false;
        if (countBytes <= flipAt && flipAt < countBytes + chunk.length) {
          chunk = Buffer.from(chunk);
          chunk[flipAt - countBytes]! ^= 0x20;
        }
        countBytes += chunk.length;
        if (countBytes >= cutAt) return false;
        const kept = chunk.subarray(0, Math.max(0, keepBytes - (countBytes - chunk.length)));
        if (kept.length > 0 && !to.write(kept)) await room(to);
      }
    } catch {
      return false;
    }
    return cutAt !== 0 || mode !== 'cut';
  }
}

function room(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      to.off('drain', done).off('close', done);
      resolve();
    };
    to.on('drain', done).on('close', done);
  });
}

/** Whether a mode does anything to exchanges of this method. */
function hitsOf(mode: FaultMode, method: string): boolean {
  if (mode === 'full' || mode === 'forget') return changes.has(method);
  if (mode === 'clip') return method === 'PUT';
  return mode === 'absent' || mode === 'short' || mode === 'corrupt' ? method === 'GET' : true;
}

/** Takes all bytes and keeps none. */
async function pretend(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  for await (const _chunk of asked);
  answer.writeHead(201, { 'content-length': '0' }).end();
}

function refuse(asked: IncomingMessage, answer: ServerResponse, status: number): void {
  asked.resume();
  answer.writeHead(status, { 'content-length': '0', connection: 'close' }).end();
}
