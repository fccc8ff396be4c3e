import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Bucket } from '../bucket.ts';
import { objectError } from '../errors.ts';
import type { TrafficPlace } from '../quotas/traffic.ts';
import { BodyReader } from './body-reader.ts';
import type { Limits } from './limits.ts';
import type { Outlet } from './send.ts';

const serverName = 'Holdfast';

/** One request and its answer: what stands from the first line to the last byte, whatever goes wrong between them. */
export class Exchange implements Outlet {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly hostId: string;
  readonly isHead: boolean;
  readonly body: BodyReader;
  readonly common: string[];
  readonly sendTimeoutMs: number;
  isLast = false;
  /** For logs and metrics; before it is known, that is. */
  commandName = 'Unknown';
  /** The path on the wire, or all of the target where it has none. */
  resource: string;
  bucket: Bucket | null = null;
  /** Whose traffic it is; `null` until it is admitted. */
  place: TrafficPlace | null = null;
  sentBytes = 0;
  /** Hears of bytes of the bodies as they move, once somebody is to be told. */
  onMoved: ((bytes: number) => void) | null = null;
  readonly #isExpecting: boolean;
  readonly #limits: Limits;
  #abort: AbortController | null = null;
  #isGone = false;
  #isBroken = false;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    ids: { readonly requestId: string; readonly hostId: string },
    options: { readonly isExpecting: boolean; readonly limits: Limits },
  ) {
    this.request = request;
    this.response = response;
    this.requestId = ids.requestId;
    this.hostId = ids.hostId;
    this.isHead = request.method === 'HEAD';
    this.resource = request.url ?? '';
    this.common = ['server', serverName, 'x-amz-request-id', ids.requestId, 'x-amz-id-2', ids.hostId];
    this.sendTimeoutMs = options.limits.sendTimeoutMs;
    this.#isExpecting = options.isExpecting;
    this.#limits = options.limits;
    this.body = new BodyReader(request, {
      timeoutMs: options.limits.bodyTimeoutMs,
      onStart: () => {
        if (this.#isExpecting && !response.headersSent) response.writeContinue();
      },
      onBytes: (bytes) => this.onMoved?.(bytes),
    });
    response.on('error', () => response.destroy());
  }

  /** To be called when the connection or the answer has ended. */
  close(): void {
    if (this.response.writableFinished) return;
    this.#isGone = true;
    this.#abort?.abort(objectError('IncompleteBody', {}, 'The client is gone.'));
  }

  onSent(bytes: number): void {
    this.sentBytes += bytes;
    this.onMoved?.(bytes);
  }

  /** Ends what still works for this request, such as a content that was opened and will not be read. */
  giveUp(reason: unknown): void {
    this.#abort?.abort(reason);
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Aborts when the client is gone. */
  signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#isGone) this.#abort.abort(objectError('IncompleteBody', {}, 'The client is gone.'));
    }
    return this.#abort.signal;
  }

  /** What the client sends is no HTTP any more, or it has ended in the middle of a body. */
  breakOff(): void {
    const { request, response, body } = this;
    this.#isBroken = true;
    body.fail(objectError('IncompleteBody'));
    if (response.writableFinished) request.socket.destroySoon();
    else response.once('finish', () => request.socket.destroySoon());
  }

  /** Whether all of it has passed: what comes next on the connection is not of this request. */
  get isOver(): boolean {
    return this.response.writableFinished && this.body.isEnded;
  }

  /** Decides, before the answer, whether another request can follow it on this connection. */
  prepareAnswer(): void {
    const { body } = this;
    if (this.#isBroken || body.hasFailed) this.isLast = true;
    if (body.isEnded) return;
    // A client that was not told to go on may send its body or not: what comes next cannot be told apart.
    if (this.#isExpecting && !body.isStarted) this.isLast = true;
    const left = body.contentLength === null ? Number.POSITIVE_INFINITY : body.contentLength - body.receivedBytes;
    if (left > this.#limits.drainBytesMax) this.isLast = true;
  }

  /**
   * Ends the exchange after its answer. What is left of the body is read, within bounds: a connection that is closed upon
   * unread bytes is reset, and the client may lose the answer.
   */
  async finish(): Promise<void> {
    const { body, request, response } = this;
    const { drainBytesMax, drainTimeoutMs } = this.#limits;
    const isWaiting = this.#isExpecting && !body.isStarted;
    const isDrained = body.isEnded || (!isWaiting && (await body.drain(drainBytesMax, drainTimeoutMs)));
    if (this.isLast && !response.writableEnded) response.end();
    if (isDrained || this.isLast) return;
    // The answer is out, and what follows on this connection is the rest of a body that nobody reads.
    if (response.writableFinished) request.socket.destroySoon();
    else response.once('finish', () => request.socket.destroySoon());
  }
}
