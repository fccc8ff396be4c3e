import type { OperationReply } from '../support/server.ts';
import { type CrashingServer, startCrashingServer } from '../support/crashing-server.ts';
import { BackendFaults, type Moment, type Verb } from '../support/faulty-backend.ts';
import { type Rig, type RigServer, serve } from './rigs.ts';
import type { Hand } from './world.ts';

/** Servers one after the other, each of which is ended in the middle of an operation that the next one finishes. */
export interface Interruptions {
  /** A client of the server that runs now. */
  hand(): Promise<Hand>;
  /**
   * Asks for an operation, ends the server when the operation has reached `verb`, and gives the operation as the successor
   * has ended it.
   */
  during(verb: Verb, moment: Moment, request: (hand: Hand) => Promise<string>): Promise<OperationReply>;
  stop(): Promise<void>;
}

/** The real thing: a process of its own, ended by SIGKILL. */
export class Kills implements Interruptions {
  readonly #flags: Readonly<Record<string, string>>;
  readonly #rig: Rig;
  /** The next process loads its code while this one works. */
  #next: Promise<CrashingServer>;
  #current: Promise<{ readonly child: CrashingServer; readonly hand: Hand }> | null = null;

  constructor(rig: Rig) {
    this.#rig = rig;
    // A store of its own: an embedded one belongs to one process, and the other tests have theirs.
    this.#flags = { ...rig.flags, 'data-dir': `${rig.flags['data-dir']}/killed` };
    this.#next = startCrashingServer();
  }

  async hand(): Promise<Hand> {
    return (await this.#running()).hand;
  }

  async during(verb: Verb, moment: Moment, request: (hand: Hand) => Promise<string>): Promise<OperationReply> {
    const { child, hand } = await this.#running();
    const held = await child.arm(verb, moment);
    this.#current = null;
    await using _dying = child;
    const operationId = await request(hand);
    await held.kill();
    return (await this.hand()).completed(operationId);
  }

  async stop(): Promise<void> {
    const current = await this.#current?.catch(() => null);
    await current?.child[Symbol.asyncDispose]();
    const next = await this.#next.catch(() => null);
    await next?.[Symbol.asyncDispose]();
  }

  #running(): Promise<{ readonly child: CrashingServer; readonly hand: Hand }> {
    this.#current ??= this.#start();
    return this.#current;
  }

  async #start(): Promise<{ readonly child: CrashingServer; readonly hand: Hand }> {
    const child = await this.#next;
    this.#next = startCrashingServer();
    return { child, hand: this.#rig.hand(await child.start(this.#flags)) };
  }
}

/** For a real system that is in this process: the server is stopped while the verb hangs. */
export class Stops implements Interruptions {
  readonly #rig: Rig;
  readonly #flags: Readonly<Record<string, string>>;
  readonly #faults = new BackendFaults();
  #current: Promise<RigServer> | null = null;

  constructor(rig: Rig) {
    this.#rig = rig;
    this.#flags = { 'data-dir': `${rig.flags['data-dir']}/stopped` };
  }

  async hand(): Promise<Hand> {
    return (await this.#running()).hand;
  }

  async during(verb: Verb, moment: Moment, request: (hand: Hand) => Promise<string>): Promise<OperationReply> {
    const server = await this.#running();
    const { reached } = this.#faults.hold(verb, moment);
    const operationId = await request(server.hand);
    await reached;
    this.#current = null;
    await server.stop();
    this.#faults.clear();
    return (await this.hand()).completed(operationId);
  }

  async stop(): Promise<void> {
    await (await this.#current)?.stop();
  }

  #running(): Promise<RigServer> {
    this.#current ??= serve(this.#rig, this.#faults, this.#flags);
    return this.#current;
  }
}
