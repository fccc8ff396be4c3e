import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ExportKey, ExportSource, ExportSpec } from '../target.ts';
import { otherExport } from '../decide-add.ts';
import { Lane, type LaneSettings } from './lane.ts';
import type { Daemon } from './daemon.ts';
import { type DaemonState, readState } from './live.ts';
import type { QmpConnection } from './qmp/connection.ts';

/** How long a daemon of another family may take to say that it has nothing of this name. */
const OTHERS_TIMEOUT_MS = 1_000;
/** A daemon that answers nothing for so long is frozen. */
const SILENT_MS = 2_000;
/** How long the news of a daemon's death may take. */
const NEWS_MS = 500;

/**
 * Which daemon serves what. Files share one, and the images of one Ceph cluster share one, since a cluster that does not
 * answer stops all of a daemon while an image is opened. An export with a key has its own: a daemon has one port, and takes
 * every key of it for every export.
 */
export class Lanes {
  readonly #settings: LaneSettings;
  readonly #lanes = new Map<string, Lane>();

  constructor(settings: LaneSettings) {
    this.#settings = settings;
  }

  get all(): readonly Lane[] {
    return [...this.#lanes.values()];
  }

  /** @throws HoldfastError `conflict` when the export is there with another key. */
  forSpec({ exportId, source, tls, preferredPort }: ExportSpec): Lane {
    const family = familyOf(source);
    const name = tls === null ? family : `${family}${keySuffix(exportId)}`;
    const existing = this.#lanes.get(name);
    if (existing !== undefined && isSameKey(existing.tls, tls)) return existing;
    // Where no daemon runs there is no export, and so no key to differ from.
    if (existing !== undefined && existing.current !== null) throw otherExport(exportId, ['tls']);
    this.#lanes.delete(name);
    const port = preferredPort !== undefined && this.#mayTake(preferredPort) ? preferredPort : null;
    const lane = new Lane(family, tls, this.#settings, () => this.#takenPorts(), port);
    this.#lanes.set(name, lane);
    return lane;
  }

  /** Ends the daemon of an export that had one of its own. */
  async release(lane: Lane): Promise<void> {
    if (lane.tls === null) return;
    for (const [name, each] of this.#lanes) if (each === lane) this.#lanes.delete(name);
    await lane.close();
  }

  /** Lets go of the key of an export that is gone, and of the port that was kept for it. */
  forget(exportId: string): void {
    for (const [name, { tls, current }] of this.#lanes) {
      if (tls !== null && current === null && name.endsWith(keySuffix(exportId))) this.#lanes.delete(name);
    }
  }

  /** What the other daemons have. One of another family that does not answer is passed over: it has other images. */
  async elsewhere(than: Lane, signal: AbortSignal): Promise<readonly DaemonState[]> {
    const others = this.all.filter((lane) => lane !== than);
    const states = await Promise.all(
      others.map(async (lane) => {
        if (lane.family === than.family) return stateOf(lane, signal);
        const soon = AbortSignal.any([signal, AbortSignal.timeout(OTHERS_TIMEOUT_MS)]);
        return stateOf(lane, soon).catch(() => null);
      }),
    );
    return states.filter((state) => state !== null);
  }

  /**
   * The first lane with something to find; `null` when every daemon says that there is nothing.
   *
   * @throws HoldfastError `unavailable` when it was not found, and a daemon could not be asked.
   */
  async find(signal: AbortSignal, isIt: (state: DaemonState) => boolean): Promise<Lane | null> {
    const nothing = new Error('nothing here');
    const searches = this.all.map(async (lane) => {
      const state = await stateOf(lane, signal);
      if (state === null || !isIt(state)) throw nothing;
      return lane;
    });
    try {
      return await Promise.any(searches);
    } catch (error) {
      const failures = error instanceof AggregateError ? error.errors : [error];
      const failure: unknown = failures.find((each) => each !== nothing);
      if (failure === undefined) return null;
      throw failure;
    }
  }

  /** Kills daemons that do not answer at all, so that what must end can end. Their exports are lost, and that is told. */
  async killSilent(signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.all.map(async (lane) => {
        const daemon = (await lane.current?.catch(() => null)) ?? null;
        if (daemon !== null && (await isSilent(daemon, signal))) await daemon.kill();
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((lane) => lane.close()));
  }

  /** Ports outside of the range may be closed to clients by now, and those of other lanes are kept for these. */
  #mayTake(port: number): boolean {
    const { first, last } = this.#settings.ports;
    return (first === 0 || (port >= first && port <= last)) && !this.#takenPorts().has(port);
  }

  #takenPorts(): ReadonlySet<number> {
    return new Set(this.all.flatMap(({ port }) => (port === null ? [] : [port])));
  }
}

/** What the lane's daemon has; `null` when none runs, and so nothing is exported. */
export function stateOf(lane: Lane, signal: AbortSignal): Promise<(DaemonState & { readonly daemon: Daemon }) | null> {
  return askDaemon(lane, signal, async (daemon, qmp) => ({ daemon, ...(await readState(qmp, signal)) }));
}

/** Asks a daemon that runs; `null` when none does. One that turns out to have just died is none. */
export async function askDaemon<T>(
  lane: Lane,
  signal: AbortSignal,
  ask: (daemon: Daemon, qmp: QmpConnection) => Promise<T>,
): Promise<T | null> {
  const daemon = (await lane.current?.catch(() => null)) ?? null;
  if (daemon === null) return null;
  try {
    return await ask(daemon, await daemon.qmp(signal));
  } catch (error) {
    const mayHaveEnded = error instanceof HoldfastError && error.kind === 'unavailable' && !signal.aborted;
    if (mayHaveEnded && (await hasJustEnded(daemon.ended))) return null;
    throw error;
  }
}

/** What is asked needs no image, so one that waits for its cluster answers all the same. */
async function isSilent(daemon: Daemon, signal: AbortSignal): Promise<boolean> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(SILENT_MS)]);
  try {
    await (await daemon.qmp(soon)).execute('query-version', undefined, soon);
    return false;
  } catch {
    // With the caller's own deadline passed it is not known.
    return !signal.aborted;
  }
}

async function hasJustEnded(ended: Promise<string>): Promise<boolean> {
  return Promise.race([ended.then(() => true), delay(NEWS_MS, false, { ref: false })]);
}

/** Exports of one family may have the same images, so their changes take turns. */
export function familyOf(source: ExportSource): string {
  return source.kind === 'file' ? 'file' : `rbd ${source.conf}`;
}

/** No id has a space in it. */
function keySuffix(exportId: string): string {
  return ` key ${exportId}`;
}

function isSameKey(a: ExportKey | null, b: ExportKey | null): boolean {
  return a?.identity === b?.identity && a?.keyHex.toLowerCase() === b?.keyHex.toLowerCase();
}
