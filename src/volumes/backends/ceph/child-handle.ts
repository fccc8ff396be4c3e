import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HoldfastError, fromErrorData } from '../../../kernel/errors/errors.ts';
import type { FromChild, ToChild, Verb, Verbs } from './protocol.ts';

const PING_TIMEOUT_MS = 3_000;
const CLOSE_TIMEOUT_MS = 2_500;
const CHILD_FILE = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url),
);

/** Takes one line for the log of the server. */
export type CephLog = (message: string) => void;

interface Waiting {
  readonly verb: Verb;
  resolve(value: unknown): void;
  reject(error: HoldfastError): void;
}

/** Forks the child's file. The threads of libuv's pool are what librbd's calls wait on. */
export function forkChild(args: readonly string[]): ChildProcess {
  return fork(CHILD_FILE, args, {
    execPath: process.execPath,
    // Flags of this process, such as those of a test runner or an inspector port, are not the child's.
    execArgv: [],
    serialization: 'advanced',
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** One life of the child process: from its fork until it has ended. */
export class ChildHandle {
  readonly #process: ChildProcess;
  readonly #log: CephLog;
  readonly #waiting = new Map<number, Waiting>();
  readonly #pings = new Map<number, (stuck: readonly string[]) => void>();
  readonly #ended: Promise<void>;
  #nextId = 1;
  #hasEnded = false;
  #isLeaving = false;
  #isChecking = false;
  #address: string | null = null;

  constructor(open: Extract<ToChild, { type: 'open' }>, log: CephLog) {
    this.#log = log;
    this.#process = forkChild([]);
    this.#ended = new Promise((resolve) => {
      const end = (reason: string): void => {
        this.#end(reason);
        resolve();
      };
      this.#process.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      this.#process.once('error', (error) => end(error.message));
    });
    this.#process.on('message', (message) => this.#receive(message as FromChild));
    if (this.#process.stderr !== null) {
      createInterface({ input: this.#process.stderr }).on('line', (line) => log(`ceph child: ${line}`));
    }
    this.#send(open);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether a new call may be sent to it. */
  get isUsable(): boolean {
    return !this.#hasEnded && !this.#isLeaving;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The last address under which the child was connected to the cluster; `null` while it never was. */
  get address(): string | null {
    return this.#address;
  }

  /**
   * Runs one verb in the child.
   *
   * @throws HoldfastError `unavailable` when the signal aborts or the child ends first: the outcome is unknown then,
   * and an answer that comes later is dropped.
   */
  call<V extends Verb>(verb: V, args: Verbs[V]['args'], signal: AbortSignal): Promise<Verbs[V]['result']> {
    if (signal.aborted) return Promise.reject(notSent(verb));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(id);
        this.#send({ type: 'abandon', id });
        reject(new HoldfastError('unavailable', `Ceph did not answer "${verb}" in time; the outcome is unknown.`));
        void this.#endIfHung();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(id, {
        verb,
        resolve: (value) => {
          signal.removeEventListener('abort', onAbort);
          resolve(value as Verbs[V]['result']);
        },
        reject: (error) => {
          signal.removeEventListener('abort', onAbort);
          reject(error);
        },
      });
      this.#send({ type: 'call', id, verb, args });
    });
  }

  /** Asks the child to leave the cluster and exit, and ends it by force after 2.5 s. */
  async close(): Promise<void> {
    if (this.#hasEnded) return;
    this.#send({ type: 'close' });
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), CLOSE_TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** After a deadline: a child that does not answer at all, or whose native calls are stuck, is ended. */
  async #endIfHung(): Promise<void> {
    if (this.#isChecking || this.#hasEnded) return;
    this.#isChecking = true;
    const id = this.#nextId++;
    const pong = new Promise<readonly string[]>((resolve) => this.#pings.set(id, resolve));
    this.#send({ type: 'ping', id });
    const stuck = await Promise.race([pong, delay(PING_TIMEOUT_MS, 'silent' as const, { ref: false })]);
    this.#pings.delete(id);
    this.#isChecking = false;
    if (stuck.length === 0 || this.#hasEnded) return;
    this.#log(`ending the Ceph child ${this.pid}: ${stuck === 'silent' ? 'it hangs' : `stuck in ${stuck.join(', ')}`}`);
    this.#process.kill('SIGKILL');
  }

  #receive(message: FromChild): void {
    if (message.type === 'done') this.#take(message.id)?.resolve(message.value);
    else if (message.type === 'failed') this.#fail(message);
    else if (message.type === 'pong') this.#pings.get(message.id)?.(message.stuck);
    else if (message.type === 'connected') this.#address = message.address;
  }

  #fail(message: Extract<FromChild, { type: 'failed' }>): void {
    // Marked before the caller hears of it, so that its next call does not go to a process that is ending.
    if (message.isLast) this.#isLeaving = true;
    this.#take(message.id)?.reject(fromErrorData(message.error));
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #send(message: ToChild): void {
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  #end(reason: string): void {
    this.#hasEnded = true;
    for (const waiting of this.#waiting.values()) {
      const message = `The Ceph child process ended (${reason}) during "${waiting.verb}"; the outcome is unknown.`;
      waiting.reject(new HoldfastError('unavailable', message));
    }
    this.#waiting.clear();
  }
}

function notSent(verb: Verb): HoldfastError {
  return new HoldfastError('unavailable', `The verb "${verb}" was not sent to Ceph: its deadline had passed already.`);
}
