import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Correlation } from './correlate.ts';
import type { DeviceLinks } from './device-mapper/device-links.ts';
import { linkNames } from './device-mapper/names.ts';
import { type WantedAction, type WantedVolume, reconcileLinks } from './links.ts';
import type { ObservedDevice } from './observe.ts';

/** What became of the link of one wanted volume. */
export interface LinkReport {
  readonly volumeId: string;
  /** `vol…`, the same as long as the volume lives. */
  readonly name: string;
  /** Such as `/dev/mapper/vol-…`; it leads to the volume only when `state` is `linked`. */
  readonly devicePath: string;
  /**
   * `waiting`: no device of the volume is here. `doubt`: devices bear its identity, but which is it cannot be said. `failed`:
   * the link could not be made right; it is tried again with the next pass.
   */
  readonly state: 'linked' | 'waiting' | 'doubt' | 'failed';
  /** A sentence for people; `null` when linked. */
  readonly reason: string | null;
}

/** A link that is not wanted and still there, or one that leads to another's disk and could not be cut off it. */
export interface Leftover {
  readonly name: string;
  readonly reason: string;
}

export interface LinkPass {
  /** One for each wanted volume, in the order of the wanted. */
  readonly links: readonly LinkReport[];
  readonly leftovers: readonly Leftover[];
  /** Names of links that led to another's disk, and were made to fail. */
  readonly cut: readonly string[];
}

/** What one pass is to bring about, and what was observed just before it. */
export interface LinkTask {
  readonly wanted: readonly WantedVolume[];
  readonly devices: readonly ObservedDevice[];
  /** Of these devices and of every volume that may be here, wanted or not. */
  readonly correlation: Correlation;
}

/**
 * Keeps the links of a machine as they should be, from what is and never from what was done. To be called after every
 * observation, and before a detach without the volume: its link goes then, unless it is open, which is told.
 */
export class LinkKeeper {
  readonly #links: DeviceLinks;
  #last: Promise<unknown> = Promise.resolve();

  constructor(links: DeviceLinks) {
    this.#links = links;
  }

  /**
   * One pass, after the one before it. What goes wrong with one link is its report and stops no other. Throws `unavailable` or
   * `backend` when it cannot be read what is there; nothing was changed then.
   */
  pass(task: LinkTask, signal: AbortSignal): Promise<LinkPass> {
    const run = this.#last.then(() => this.#pass(task, signal));
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #pass({ wanted, devices, correlation }: LinkTask, signal: AbortSignal): Promise<LinkPass> {
    const mapped = await this.#links.listMapped(signal);
    const actions = reconcileLinks({ wanted, devices, correlation, mapped });
    const leftovers: Leftover[] = [];
    const cut: string[] = [];
    for (const link of actions.cut) {
      const problem = await problemOf(() => this.#links.cutLink(link, signal));
      if (problem === null) cut.push(link.name);
      else leftovers.push({ name: link.name, reason: `${link.name} leads to another's disk: ${problem}` });
    }
    for (const link of actions.remove) {
      const problem = await problemOf(() => this.#links.removeLink(link, { mayDefer: false }, signal));
      if (problem !== null) leftovers.push({ name: link.name, reason: problem });
    }
    for (const { name, openCount } of actions.held) {
      leftovers.push({ name, reason: `${name} is open (${openCount}), so it stays until it is closed.` });
    }
    const links: LinkReport[] = [];
    for (const action of actions.wanted) links.push(await this.#take(action, signal));
    return { links, leftovers, cut };
  }

  async #take(action: WantedAction, signal: AbortSignal): Promise<LinkReport> {
    const { name } = linkNames(action.volumeId);
    const about = { volumeId: action.volumeId, name, devicePath: this.#links.pathOf(name) };
    if (action.kind === 'wait') {
      return { ...about, state: 'waiting', reason: 'No device of this volume is on this machine.' };
    }
    if (action.kind === 'doubt') return { ...about, state: 'doubt', reason: action.message };
    const { volumeId, device } = action;
    if (action.kind === 'keep' && (await this.#links.hasPath(action.link))) {
      return { ...about, state: 'linked', reason: null };
    }
    const problem = await problemOf(() => this.#links.ensureLink(volumeId, device, signal));
    return { ...about, state: problem === null ? 'linked' : 'failed', reason: problem };
  }
}

async function problemOf(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof HoldfastError) return error.message;
    throw error;
  }
}
