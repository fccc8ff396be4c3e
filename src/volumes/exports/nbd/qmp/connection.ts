import { type Socket, connect } from 'node:net';
import { HoldfastError } from '../../../../kernel/errors/errors.ts';
import type { QmpCommand, QmpCommands } from './commands.ts';
import { LineSplitter } from './lines.ts';
import { QmpRefusal } from './qmp-refusal.ts';

/** An answer about a thousand exports is 3 MB; this is for what is no answer at all. */
const LINE_BYTES_MAX = 32 * 1024 * 1024;
const COMMAND_TIMEOUT_MS = 30_000;

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface QmpOptions {
  /** Tests lower these. */
  readonly lineBytesMax?: number;
  readonly commandTimeoutMs?: number;
}

interface Waiting {
  readonly command: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

type Message = Readonly<Record<string, unknown>>;

/**
 * A connection to a monitor of QEMU: JSON, one message a line, each command with an id of its own.
 *
 * An answer belongs to the command with its id and to none else, so one that comes after its deadline is dropped. An event
 * reaches only who was waiting before it came; what it is about must be named by an id that is used once, since QEMU
 * reports the end of a thing by a name that may already be another's.
 *
 * @see https://www.qemu.org/docs/master/interop/qmp-spec.html
 */
export class QmpConnection {
  readonly #socket: Socket;
  readonly #lines: LineSplitter;
  readonly #commandTimeoutMs: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeting = Promise.withResolvers<void>();
  #nextId = 1;
  #closedBecause: string | null = null;

  private constructor(socket: Socket, options: QmpOptions) {
    this.#socket = socket;
    this.#lines = new LineSplitter(options.lineBytesMax ?? LINE_BYTES_MAX);
    this.#commandTimeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
    // Nobody may be waiting for it any more when it fails.
    this.#greeting.promise.catch(() => undefined);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#end(error.message));
    socket.on('close', () => this.#end('the connection was closed'));
  }

  /**
   * Connects and negotiates (the greeting, then `qmp_capabilities`).
   *
   * @throws HoldfastError `unavailable`
   */
  static async open(path: string, signal: AbortSignal, options: QmpOptions = {}): Promise<QmpConnection> {
    const connection = new QmpConnection(connect({ path }), options);
    const onAbort = (): void => connection.#end('it did not greet in time');
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await connection.#greeting.promise;
      await connection.execute('qmp_capabilities', undefined, signal);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  get isOpen(): boolean {
    return this.#closedBecause === null;
  }

  /**
   * Runs one command.
   *
   * @throws QmpRefusal when the daemon says no.
   * @throws HoldfastError `unavailable` when the answer does not come in time, or the connection ends first: unless it says
   * that the command was not sent, the outcome is unknown.
   */
  execute<C extends QmpCommand>(
    command: C,
    args: QmpCommands[C]['args'],
    signal: AbortSignal,
  ): Promise<QmpCommands[C]['result']> {
    const notSent = (why: string) =>
      new HoldfastError('unavailable', `The command ${command} was not sent to qemu-storage-daemon: ${why}.`);
    if (signal.aborted) return Promise.reject(notSent('its deadline had passed already'));
    if (this.#closedBecause !== null) return Promise.reject(notSent(this.#closedBecause));
    const id = this.#nextId++;
    const late = AbortSignal.any([signal, AbortSignal.timeout(this.#commandTimeoutMs)]);
    return new Promise((resolve, reject) => {
      const onLate = (): void => {
        this.#waiting.delete(id);
        const sentence = `qemu-storage-daemon did not answer ${command} in time; the outcome is unknown.`;
        reject(new HoldfastError('unavailable', sentence));
      };
      late.addEventListener('abort', onLate, { once: true });
      this.#waiting.set(id, {
        command,
        resolve: (value) => {
          late.removeEventListener('abort', onLate);
          resolve(value as QmpCommands[C]['result']);
        },
        reject: (error) => {
          late.removeEventListener('abort', onLate);
          reject(error);
        },
      });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  /** Calls back for each event from now on; what it gives ends that. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#end('we closed the connection');
  }

  #read(chunk: Buffer): void {
    if (this.#closedBecause !== null) return;
    const lines = this.#lines.push(chunk);
    if (lines === null) return this.#end('it sent a line that is too long');
    for (const line of lines) {
      if (line.trim() === '') continue;
      const message = parse(line);
      if (message === null) return this.#end('it sent what is not JSON');
      this.#take(message);
    }
  }

  #take(message: Message): void {
    if ('QMP' in message) return this.#greeting.resolve();
    if (typeof message['event'] === 'string') {
      const event = { event: message['event'], data: (message['data'] ?? {}) as QmpEvent['data'] };
      for (const listener of this.#listeners) listener(event);
      return;
    }
    const id = message['id'];
    const waiting = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    // Nobody waits for an answer that is too late.
    if (waiting === undefined || typeof id !== 'number') return;
    this.#waiting.delete(id);
    if (!('error' in message)) return waiting.resolve(message['return']);
    const { desc } = message['error'] as { desc?: unknown };
    waiting.reject(new QmpRefusal(waiting.command, typeof desc === 'string' ? desc : 'no reason was given'));
  }

  #end(because: string): void {
    if (this.#closedBecause !== null) return;
    this.#closedBecause = because;
    this.#socket.destroy();
    this.#listeners.clear();
    this.#greeting.reject(new HoldfastError('unavailable', `qemu-storage-daemon cannot be reached: ${because}.`));
    for (const { command, reject } of this.#waiting.values()) {
      const sentence = `The connection to qemu-storage-daemon ended during ${command} (${because}).`;
      reject(new HoldfastError('unavailable', `${sentence.slice(0, -1)}; the outcome is unknown.`));
    }
    this.#waiting.clear();
  }
}

function parse(line: string): Message | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Message) : null;
  } catch {
    return null;
  }
}
