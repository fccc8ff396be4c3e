import { HoldfastError, fromErrorData } from '../kernel/errors/errors.ts';
import type { Attempt } from '../kernel/operations/operation.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import { type WorkRow, type WorkState, addWork, workState } from './add-work.ts';
import type { Host, HostTimes } from './host.ts';
import { lookUntil } from './look-until.ts';
import { findHost, findReport, listHosts } from './queries.ts';
import { hostResultTopic, hostWorkTopic } from './topics.ts';
import { workSecret } from './work.ts';

/** A command to a host. */
export interface HostCommand {
  /** Id or name. */
  readonly host: string;
  /** What it changes; agents do one command of a resource at a time. */
  readonly resource: string;
  readonly kind: string;
  readonly input: unknown;
  readonly secret?: string | null;
}

export interface HostCommandsOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly times: HostTimes;
  /** How long a command may wait for its host and be at work there. */
  readonly timeoutMs: number;
}

/** How features reach hosts: durable commands that agents take, and what the agents report. */
export class HostCommands {
  readonly #options: HostCommandsOptions;

  constructor(options: HostCommandsOptions) {
    this.#options = options;
  }

  /**
   * Sends a command and waits for its end. Called again by a later attempt of the same step it finds the command that it sent,
   * and sends it again only when it failed. Throws what the host threw; `unavailable` when the host is dead, or not done in time
   * (the outcome is unknown then, and the command is not begun any more).
   */
  async run(attempt: Attempt, command: HostCommand): Promise<unknown> {
    const { store, sealer, timeoutMs } = this.#options;
    const host = await this.require(command.host);
    refuseDead(host);
    // Of the attempt: one that comes after a failure is other work, and the end of the one before is not its end.
    const newId = `${attempt.token}#${attempt.attempt}`;
    const { id, state, superseded } = await store.write(addWork, {
      id: newId,
      hostId: host.id,
      token: attempt.token,
      resource: command.resource,
      kind: command.kind,
      fence: attempt.fence,
      attempt: attempt.attempt,
      input: command.input,
      secret: command.secret == null ? null : sealer.seal(command.secret, workSecret(newId)),
      timeoutMs,
    });
    for (const each of superseded) store.publish(hostResultTopic, each);
    store.publish(hostWorkTopic, host.id);
    return outcome(state.state === 'pending' ? await this.#wait(id, host, attempt.signal) : state);
  }

  /** @throws HoldfastError `not_found` */
  async require(reference: string): Promise<Host> {
    const host = await this.find(reference);
    if (host !== null) return host;
    throw new HoldfastError('not_found', `There is no host ${reference.slice(0, 200)}.`, { field: 'host' });
  }

  find(reference: string): Promise<Host | null> {
    return this.#options.store.read((reader) => findHost(reader, reference, this.#options.times));
  }

  list(): Promise<Host[]> {
    return this.#options.store.read((reader) => listHosts(reader, this.#options.times));
  }

  /** What a host's agent said last of a section; `null` when it never did. */
  async reported(hostId: string, section: string): Promise<unknown> {
    const found = await this.#options.store.read((reader) => findReport(reader, hostId, section));
    return found?.data ?? null;
  }

  async #wait(id: string, host: Host, signal: AbortSignal): Promise<WorkState> {
    const { store, timeoutMs } = this.#options;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const ended = await lookUntil(store, { topic: hostResultTopic, payload: id }, deadline, () => this.#look(id));
    if (ended === null) throw late(host);
    return ended;
  }

  /** `null` while it has not ended. */
  async #look(id: string): Promise<WorkState | null> {
    const statement = 'select state, output, error from host_work where id = ?';
    const [row] = await this.#options.store.read((reader) => reader.rows<WorkRow>(statement, [id]));
    if (row === undefined) return { state: 'superseded' };
    return row.state === 'pending' ? null : workState(row);
  }
}

function outcome(state: WorkState): unknown {
  if (state.state === 'done') return state.output;
  if (state.state === 'failed') throw fromErrorData(state.error);
  throw new HoldfastError('conflict', 'A later command to the host took the place of this one.', {
    reason: 'superseded',
  });
}

/** One whose agent stopped in order is about to come back, as after an update. */
function refuseDead(host: Host): void {
  if (host.state !== 'dead') return;
  const sentence = `Host ${host.name} is dead: it was last heard at ${new Date(host.heartbeatAtMs).toISOString()}.`;
  throw new HoldfastError('unavailable', sentence, { host: host.name, host_state: host.state });
}

function late(host: Host): HoldfastError {
  const seconds = Math.round(host.silentMs / 1000);
  const why = host.state === 'left' ? 'its agent is stopped' : `last heard ${seconds} s before it was asked`;
  const message = `Host ${host.name} did not answer in time (${why}).`;
  return new HoldfastError('unavailable', message, { host: host.name, outcome: 'unknown' });
}
