import { randomUUID } from 'node:crypto';
import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import type { AgentLink } from './agent/link.ts';
import { type Speaker, hear, heartbeat, pendingWork, requireSpeaker, workAtOnceMax } from './hear.ts';
import { type HostTimes, checkHostName } from './host.ts';
import { lookUntil } from './look-until.ts';
import { registerHost, releaseHost } from './registration.ts';
import { hostReportTopic, hostResultTopic, hostWorkTopic } from './topics.ts';
import {
  type HostRegistration,
  type HostReport,
  type HostResult,
  type HostSession,
  type HostTake,
  type HostWork,
  workSecret,
} from './work.ts';

export interface HostServiceOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly times: HostTimes;
  /** What should be on the host of this name, by section. */
  wanted(hostName: string): Promise<Readonly<Record<string, unknown>>>;
}

/** The server's side of {@link AgentLink}: what agents ask and say. */
export class HostService implements AgentLink {
  readonly #options: HostServiceOptions;
  /** When each host was last written to be alive, so that a busy agent does not write a row for each question. */
  readonly #heardAtMs = new Map<string, number>();

  constructor(options: HostServiceOptions) {
    this.#options = options;
  }

  register(registration: HostRegistration): Promise<HostSession> {
    return this.admit(registration, false);
  }

  /** `isSuccessor`: it is known that the agent before is no more, as with a store that only one process can have open. */
  async admit(registration: HostRegistration, isSuccessor: boolean): Promise<HostSession> {
    const { store, clock, newId, times } = this.#options;
    checkHostName(registration.name);
    const session = `${registration.instance}.${randomUUID()}`;
    const { slowAfterMs, heartbeatMs } = times;
    const { hostId } = await store.write(registerHost, {
      registration,
      newHostId: newId('host'),
      session,
      slowAfterMs,
      isSuccessor,
      nowMs: clock.nowMs(),
    });
    store.publish(hostReportTopic, 'hosts');
    return { hostId, session, heartbeatMs };
  }

  async take(speaker: Speaker, known: readonly string[], signal: AbortSignal): Promise<HostTake> {
    const { store, times, wanted } = this.#options;
    await this.#heartbeat(speaker);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(times.heartbeatMs)]);
    const forIt = { topic: hostWorkTopic, payload: speaker.hostId };
    const work = await lookUntil(store, forIt, deadline, () => this.#work(speaker, known));
    signal.throwIfAborted();
    const { name } = await store.read((reader) => requireSpeaker(reader, speaker));
    return { work: work ?? [], wanted: await wanted(name) };
  }

  async report(speaker: Speaker, results: readonly HostResult[], reports: readonly HostReport[]): Promise<void> {
    const { store } = this.#options;
    const { hostId, session } = speaker;
    await store.write(hear, { hostId, session, results, reports });
    for (const { id } of results) store.publish(hostResultTopic, id);
    for (const { section } of reports) store.publish(hostReportTopic, section);
  }

  async release(speaker: Speaker): Promise<void> {
    const { store, clock } = this.#options;
    const { hostId, session } = speaker;
    await store.write(releaseHost, { hostId, session, nowMs: clock.nowMs() });
    this.#heardAtMs.delete(hostId);
  }

  async #heartbeat(speaker: Speaker): Promise<void> {
    const { store, clock, times } = this.#options;
    const nowMs = clock.nowMs();
    const { hostId, session } = speaker;
    if (nowMs - (this.#heardAtMs.get(hostId) ?? 0) < times.heartbeatMs / 2) return;
    await store.write(heartbeat, { hostId, session, nowMs });
    this.#heardAtMs.set(hostId, nowMs);
  }

  /** `null` when there is none. */
  async #work(speaker: Speaker, known: readonly string[]): Promise<HostWork[] | null> {
    const { store, sealer } = this.#options;
    const rows = await store.read(async (reader) => {
      await requireSpeaker(reader, speaker);
      return pendingWork(reader, speaker.hostId);
    });
    const work = rows
      .filter(({ id }) => !known.includes(id))
      .slice(0, workAtOnceMax)
      .map(({ id, resource, kind, fence, input, secret, timeout_ms: timeoutMs }) => ({
        id,
        resource,
        kind,
        fence,
        input: JSON.parse(input) as unknown,
        secret: secret === null ? null : sealer.open(secret, workSecret(id)),
        timeoutMs: Math.max(1, timeoutMs),
      }));
    return work.length === 0 ? null : work;
  }
}
