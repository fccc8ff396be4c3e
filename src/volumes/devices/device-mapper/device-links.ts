import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { isStillThere } from '../confirm.ts';
import type { ObservedDevice } from '../observe.ts';
import { type RunDmsetup, createDmsetup } from './dmsetup.ts';
import { type MappedDevice, parseListing } from './listing.ts';
import { type LinkNames, linkNames, linkUuidPrefix } from './names.ts';
import { numberAt } from './node.ts';
import { type LinkStep, planLink, planTeardown } from './plan.ts';
import { isAbsent, isBusy, problemOf } from './problem.ts';

export interface DeviceLinksOptions {
  readonly run?: RunDmsetup;
  /** The directory that is `/dev/mapper` on a live machine. */
  readonly devMapper?: string;
  /** The `major:minor` to which a path leads. */
  readonly numberAt?: (path: string) => Promise<string | null>;
  /** Whether a device is still the disk that was observed; asked when the link holds it, and before it is used. */
  readonly isStillThere?: (device: ObservedDevice, signal: AbortSignal) => Promise<boolean>;
}

/** A link that was there when the call ended. */
export interface DeviceLink {
  readonly name: string;
  /** Such as `/dev/mapper/vol-…`. */
  readonly path: string;
}

/**
 * Persistent names of volumes on this machine: device-mapper devices with one linear table each. The laws:
 * - What is there is read at each call. A link is ours by its UUID and right by its live table, never by its name alone.
 * - A table becomes live only after the disk beneath has been recognised once more while the table already holds it open.
 * - Whatever was done is read again, and success is what was read.
 *
 * Errors: `unavailable` when links cannot be made here (`reason`: `not_installed`, `permission`, `no_device_mapper`,
 * `timeout`), `conflict` when a plan refuses (`reason` of {@link planLink} and {@link planTeardown}) or the disk has
 * changed (`device_changed`), `backend` for other words of dmsetup. Calls for one link are not to overlap.
 */
export interface DeviceLinks {
  /** Makes the link of a volume point at a device, whatever it pointed at before, and grows it with the device. */
  ensureLink(volumeId: string, device: ObservedDevice, signal: AbortSignal): Promise<DeviceLink>;
  /**
   * Takes a link away; absent is success. An open one is a `conflict` (`open`), or goes with its last holder when
   * `mayDefer`; then this gives `deferred`.
   */
  removeLink(
    link: string | LinkNames,
    options: { readonly mayDefer: boolean },
    signal: AbortSignal,
  ): Promise<'removed' | 'deferred'>;
  /** Makes every read and write through a link fail at once, also of those who hold it open. Absent is success. */
  cutLink(link: LinkNames, signal: AbortSignal): Promise<void>;
  /** Every device of device-mapper, not only ours, since plans need to know what is taken. */
  listMapped(signal: AbortSignal): Promise<readonly MappedDevice[]>;
  /** Every link of ours. */
  listLinks(signal: AbortSignal): Promise<readonly MappedDevice[]>;
  /** Whether the path of a link leads to it now; a name in `/dev` can be missing, or be left over from something else. */
  hasPath(link: MappedDevice): Promise<boolean>;
  pathOf(name: string): string;
  /** Says in one sentence whether links can be made here. Throws nothing. */
  linkHealth(signal: AbortSignal): Promise<{ readonly isAvailable: boolean; readonly detail: string }>;
}

const roundsMax = 3;
const infoArgs = ['info', '-c', '--noheadings', '--separator', '|', '-o', 'name,uuid,major,minor,open,attr'];
/** Freezing the file system on it and flushing it would wait for the disk beneath, which may be what has gone. */
const atOnce = ['--noflush', '--nolockfs'];

class DmsetupLinks implements DeviceLinks {
  readonly #run: RunDmsetup;
  readonly #devMapper: string;
  readonly #numberAt: (path: string) => Promise<string | null>;
  readonly #isStillThere: (device: ObservedDevice, signal: AbortSignal) => Promise<boolean>;

  constructor(options: DeviceLinksOptions) {
    this.#run = options.run ?? createDmsetup();
    this.#devMapper = options.devMapper ?? '/dev/mapper';
    this.#numberAt = options.numberAt ?? numberAt;
    this.#isStillThere =
      options.isStillThere ?? ((device, signal) => isStillThere(device, { sysBlock: '/sys/block' }, signal));
  }

  async ensureLink(volumeId: string, device: ObservedDevice, signal: AbortSignal): Promise<DeviceLink> {
    const { majorMinor, sizeBytes, isReadOnly } = device;
    const names = linkNames(volumeId);
    for (let round = 1; round <= roundsMax; round++) {
      const listing = await this.listMapped(signal);
      const steps = planLink({ volumeId, majorMinor, sizeBytes, isReadOnly }, listing);
      const [first] = steps;
      if (first?.kind === 'refuse') throw refused(first);
      const existing = listing.find(({ uuid }) => uuid === names.uuid);
      // Someone who ordered it removed with its last holder would take it from under its new use.
      if (existing !== undefined && existing.openCount > 0) await this.#cancelDeferred(names.name, signal);
      if (first?.kind === 'keep' && existing !== undefined) {
        await this.#recognise(device, signal);
        if (await this.#hasOrMakesPath(existing, signal)) return { name: names.name, path: this.pathOf(names.name) };
      } else {
        for (const step of steps) await this.#take(step, device, signal);
      }
    }
    throw new HoldfastError('backend', `The link ${names.name} did not come to be as it was made.`, { ...names });
  }

  async removeLink(
    link: string | LinkNames,
    options: { readonly mayDefer: boolean },
    signal: AbortSignal,
  ): Promise<'removed' | 'deferred'> {
    const names = typeof link === 'string' ? linkNames(link) : link;
    for (let round = 1; round <= roundsMax; round++) {
      const steps = planTeardown(names, await this.listMapped(signal), options);
      const [first] = steps;
      if (first === undefined) return 'removed';
      if (first.kind === 'refuse') throw refused(first);
      if (first.kind === 'remove' && (await this.#remove(first, signal)) === 'deferred') {
        const left = await this.listLinks(signal);
        return left.some(({ uuid }) => uuid === names.uuid) ? 'deferred' : 'removed';
      }
    }
    const sentence = `The link ${names.name} is still there after it was removed.`;
    throw new HoldfastError('backend', sentence, { ...names });
  }

  async cutLink(link: LinkNames, signal: AbortSignal): Promise<void> {
    const isOurs = ({ name, uuid }: MappedDevice): boolean => name === link.name && uuid === link.uuid;
    const existing = (await this.listMapped(signal)).find(isOurs);
    if (existing === undefined || isCut(existing)) return;
    await this.#call(['wipe_table', link.name, ...atOnce], '', signal);
    const after = (await this.listMapped(signal)).find(isOurs);
    if (after === undefined || isCut(after)) return;
    throw new HoldfastError('backend', `The link ${link.name} still leads to a disk after it was cut.`, { ...link });
  }

  async listMapped(signal: AbortSignal): Promise<readonly MappedDevice[]> {
    const table = await this.#call(['table'], '', signal);
    // What appears between the two calls has no table here, and is not taken for right.
    const info = await this.#call(infoArgs, '', signal);
    return parseListing({ info, table });
  }

  async listLinks(signal: AbortSignal): Promise<readonly MappedDevice[]> {
    return (await this.listMapped(signal)).filter(({ uuid }) => uuid.startsWith(linkUuidPrefix));
  }

  async hasPath({ name, majorMinor }: MappedDevice): Promise<boolean> {
    return (await this.#numberAt(this.pathOf(name))) === majorMinor;
  }

  pathOf(name: string): string {
    return join(this.#devMapper, name);
  }

  async linkHealth(signal: AbortSignal): Promise<{ readonly isAvailable: boolean; readonly detail: string }> {
    try {
      const versions = /Library version:\s*(\S+)[\s\S]*Driver version:\s*(\S+)/.exec(
        await this.#call(['version'], '', signal),
      );
      const [, library = 'unknown', driver = 'unknown'] = versions ?? [];
      return { isAvailable: true, detail: `Links are made by dmsetup ${library} and device-mapper ${driver}.` };
    } catch (error) {
      return { isAvailable: false, detail: error instanceof Error ? error.message : String(error) };
    }
  }

  async #take(step: LinkStep, device: ObservedDevice, signal: AbortSignal): Promise<void> {
    if (step.kind === 'create') await this.#create(step, device, signal);
    if (step.kind === 'reload') await this.#load(step, device, signal);
    if (step.kind === 'resume') await this.#call(['resume', step.name, ...atOnce], '', signal);
  }

  /** Made empty at first, so that no moment passes in which a disk that was not recognised can be written through it. */
  async #create(
    step: Extract<LinkStep, { kind: 'create' }>,
    device: ObservedDevice,
    signal: AbortSignal,
  ): Promise<void> {
    const args = ['create', step.name, '--uuid', step.uuid, '--notable'];
    const result = await this.#run(args, '', signal);
    // Someone made it meanwhile, and what it is will be read in the next round.
    if (result.status !== 0 && isBusy(result)) return;
    if (result.status !== 0) throw problemOf(args, result);
    try {
      await this.#load(step, device, signal);
      await this.#call(['resume', step.name, ...atOnce], '', signal);
    } catch (error) {
      // Empty as it is it does no harm; what is left of it is made right, or removed, by the next call.
      await this.#run(['remove', step.name], '', signal).catch(() => undefined);
      throw error;
    }
  }

  /** Loads a table, which holds the disk from then on, and takes it back unless the disk is the one that was meant. */
  async #load(
    step: { readonly name: string; readonly table: string; readonly isReadOnly: boolean },
    device: ObservedDevice,
    signal: AbortSignal,
  ): Promise<void> {
    const mode = step.isReadOnly ? ['--readonly'] : [];
    await this.#call(['load', step.name, ...mode], `${step.table}\n`, signal);
    try {
      await this.#recognise(device, signal);
    } catch (error) {
      await this.#call(['clear', step.name], '', signal);
      throw error;
    }
  }

  async #recognise(device: ObservedDevice, signal: AbortSignal): Promise<void> {
    if (await this.#isStillThere(device, signal)) return;
    const sentence = `${device.name} is not the disk any more that it was when it was observed.`;
    throw new HoldfastError('conflict', sentence, { reason: 'device_changed', device: device.name });
  }

  async #remove(step: Extract<LinkStep, { kind: 'remove' }>, signal: AbortSignal): Promise<'removed' | 'deferred'> {
    const args = ['remove', step.name, step.isDeferred ? '--deferred' : '--retry'];
    const result = await this.#run(args, '', signal);
    // One that was opened or went meanwhile is seen when it is read again.
    if (result.status !== 0 && !isBusy(result) && !isAbsent(result)) throw problemOf(args, result);
    return step.isDeferred ? 'deferred' : 'removed';
  }

  async #cancelDeferred(name: string, signal: AbortSignal): Promise<void> {
    await this.#call(['message', name, '0', '@cancel_deferred_remove'], '', signal);
  }

  async #hasOrMakesPath(link: MappedDevice, signal: AbortSignal): Promise<boolean> {
    if (await this.hasPath(link)) return true;
    await this.#call(['mknodes', link.name], '', signal);
    return this.hasPath(link);
  }

  async #call(args: readonly string[], input: string, signal: AbortSignal): Promise<string> {
    const result = await this.#run(args, input, signal);
    if (result.status !== 0) throw problemOf(args, result);
    return result.stdout;
  }
}

/** Whether every read and write through it fails. */
export function isCut({ table }: MappedDevice): boolean {
  return table.length > 0 && table.every(({ target }) => target === 'error');
}

function refused(step: Extract<LinkStep, { kind: 'refuse' }>): HoldfastError {
  return new HoldfastError('conflict', step.message, { reason: step.reason });
}

/** Links by Debian's `dmsetup`. Nothing is run before the first call. */
export function createDeviceLinks(options: DeviceLinksOptions = {}): DeviceLinks {
  return new DmsetupLinks(options);
}
