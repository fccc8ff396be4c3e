import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';

/** Bytes that may wait for a slow reader before it is cut off; it resumes by `Last-Event-ID`. */
const bufferBytesMax = 1_048_576;

export interface SseMessage {
  readonly id?: string;
  readonly event?: string;
  readonly data: unknown;
}

/**
 * Server-sent events (WHATWG HTML, "Server-sent events"). One timer serves the heartbeats of all streams, and no
 * timeout of the server cuts one.
 */
export class SseStreams {
  readonly #open = new Set<SseStream>();
  readonly #timer: NodeJS.Timeout;
  readonly #onCount: (count: number) => void;

  /** `onCount` hears how many streams are open. */
  constructor(heartbeatMs: number, onCount: (count: number) => void) {
    this.#onCount = onCount;
    this.#timer = setInterval(() => {
      for (const stream of this.#open) stream.beat();
    }, heartbeatMs).unref();
  }

  /** Takes the reply over and begins a stream. `onClose` runs once, whoever ends it. */
  open(reply: FastifyReply, onClose: () => void): SseStream {
    reply.hijack();
    const stream = new SseStream(reply.raw, () => {
      this.#open.delete(stream);
      this.#onCount(this.#open.size);
      onClose();
    });
    this.#open.add(stream);
    this.#onCount(this.#open.size);
    return stream;
  }

  /** Ends every stream; readers connect again and resume. */
  close(): void {
    clearInterval(this.#timer);
    for (const stream of this.#open) stream.end();
  }
}

/** One reader's stream. */
export class SseStream {
  readonly #response: ServerResponse;
  readonly #onClose: () => void;
  #isOver = false;

  constructor(response: ServerResponse, onClose: () => void) {
    this.#response = response;
    this.#onClose = onClose;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no', // tells a proxy not to hold events back
    });
    response.socket?.setTimeout(0);
    response.socket?.setNoDelay(true);
    response.on('close', () => this.#over());
    response.flushHeaders();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  send({ id, event, data }: SseMessage): void {
    if (this.#isOver) return;
    const head = (id === undefined ? '' : `id: ${id}\n`) + (event === undefined ? '' : `event: ${event}\n`);
    this.#response.write(`${head}data: ${JSON.stringify(data)}\n\n`);
    if (this.#response.writableLength > bufferBytesMax) this.#response.destroy();
  }

  /** A comment line, so that proxies and readers see that the stream lives. */
  beat(): void {
    if (!this.#isOver) this.#response.write(': heartbeat\n\n');
  }

  end(): void {
    if (!this.#isOver) this.#response.end();
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onClose();
  }
}

/** The number in a `Last-Event-ID` header (or the `last_event_id` query parameter, for readers that cannot set one). */
export function lastEventId(header: string | string[] | undefined, query?: number): number | null {
  const text = Array.isArray(header) ? header[0] : header;
  if (text !== undefined && /^\d{1,15}$/.test(text.trim())) return Number(text.trim());
  return query ?? null;
}
