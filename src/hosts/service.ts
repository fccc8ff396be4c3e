import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import type { AgentLink } from './agent/link.ts';
import { type Speaker, hear, heartbeat, pendingWork, requireSpeaker, workAtOnceMax } from './hear.ts';
import { type HostTimes, checkHostName } from './host.ts';
import { registerHost, releaseHost } from './registration.ts';
import type { HostRegistration, HostReport, HostResult, HostSession, HostTake, HostWork } from './work.ts';

/** Says that there is work for a host; its id is told. */
export const hostWorkTopic = 'host-work';
/** Says that work has ended; its id is told. */
export const hostResultTopic = 'host-result';
/** Says that a host sees something else now; the section is told. */
export const hostReportTopic = 'host-report';

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
    const { times } = this.#options;
    await this.#heartbeat(speaker);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(times.heartbeatMs)]);
    let work = await this.#work(speaker, known);
    while (work.length === 0 && !deadline.aborted) {
      const hasWork = await this.#nextWork(speaker, known, deadline);
      work = hasWork ?? (await this.#work(speaker, known));
    }
    signal.throwIfAborted();
    return { work, wanted: await this.#wantedFor(speaker) };
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
    if (nowMs - (this.#heardAtMs.get(session) ?? 0) < times.heartbeatMs / 2) return;
    await store.write(heartbeat, { hostId, session, nowMs });
    this.#heardAtMs.set(session, nowMs);
  }

  /** Waits until somebody says that there is work, and reads it; `null` when the wait is over. */
  async #nextWork(speaker: Speaker, known: readonly string[], signal: AbortSignal): Promise<HostWork[] | null> {
    const { store } = this.#options;
    const woken = new AbortController();
    const end = store.subscribe(hostWorkTopic, (hostId) => hostId === speaker.hostId && woken.abort());
    try {
      // Read once more after the ear is open, so that what came in between is not missed.
      const work = await this.#work(speaker, known);
      if (work.length > 0) return work;
      await delay(pollMs, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => undefined);
      return null;
    } finally {
      end();
    }
  }

  async #work(speaker: Speaker, known: readonly string[]): Promise<HostWork[]> {
    const { store, sealer } = this.#options;
    const rows = await store.read(async (reader) => {
      await requireSpeaker(reader, speaker);
      return pendingWork(reader, speaker.hostId);
    });
    return rows
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
  }

  async #wantedFor({ hostId }: Speaker): Promise<Readonly<Record<string, unknown>>> {
    const { store, wanted } = this.#options;
    const [row] = await store.read((reader) =>
      reader.rows<{ name: string }>('select name from hosts where id = ?', [hostId]),
    );
    return row === undefined ? {} : wanted(row.name);
  }
}

/** Between two looks of a net below the store's own wake-ups, which may be lost. */
const pollMs = 1_000;

/** What a sealed secret of work belongs to. */
export function workSecret(workId: string): string {
  return `host-work:${workId}`;
}
