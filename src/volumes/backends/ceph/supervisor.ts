import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { type CephLog, ChildHandle } from './child-handle.ts';
import type { Verb, Verbs } from './protocol.ts';
import type { CephConnection } from './session.ts';

/** Old addresses to cut off at the next start. They are tried at each start, so a few suffice. */
const MAX_PREDECESSORS = 8;

/** Keeps one child process for a backend: started at the first call, replaced at the next call after it has ended. */
export class Supervisor {
  readonly #connection: CephConnection;
  readonly #log: CephLog;
  readonly #predecessors: string[] = [];
  #child: ChildHandle | null = null;
  #closed = false;

  constructor(connection: CephConnection, log: CephLog) {
    this.#connection = connection;
    this.#log = log;
  }

  /** Process id of the running child; `undefined` when none runs. */
  get pid(): number | undefined {
    return this.#child?.hasEnded === false ? this.#child.pid : undefined;
  }

  async call<V extends Verb>(verb: V, args: Verbs[V]['args'], signal: AbortSignal): Promise<Verbs[V]['result']> {
    if (this.#closed) throw new HoldfastError('unavailable', 'The Ceph backend is closed.');
    return await this.#running().call(verb, args, signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#child?.close();
  }

  #running(): ChildHandle {
    if (this.#child !== null && this.#child.isUsable) return this.#child;
    const address = this.#child?.address ?? null;
    if (address !== null) {
      this.#predecessors.push(address);
      if (this.#predecessors.length > MAX_PREDECESSORS) this.#predecessors.shift();
      this.#log(`the Ceph child has ended and is started again; its old address is ${address}`);
    }
    const open = { type: 'open', connection: this.#connection, predecessors: [...this.#predecessors] } as const;
    this.#child = new ChildHandle(open, this.#log);
    return this.#child;
  }
}
