import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { NodeVolume } from '../node-volumes.ts';
import { type Correlation, correlate } from './correlate.ts';
import type { DeviceLinks } from './device-mapper/device-links.ts';
import { linkNames } from './device-mapper/names.ts';
import { LinkKeeper, type LinkPass } from './link-keeper.ts';
import type { ObservedDevice } from './observe.ts';
import { devicesReport } from './report.ts';

export interface HostDevicesOptions {
  /** `null` where no persistent names can be made. */
  readonly links: DeviceLinks | null;
  readonly timeoutMs: number;
  /** Gets what is to be told to the server, by section. */
  readonly tell: (section: string, data: unknown) => void;
  readonly onProblem: (error: unknown) => void;
}

/** The section `links` of a host's reports. */
export type LinksReport = Pick<LinkPass, 'links' | 'leftovers' | 'cut'>;

/**
 * Joins what the kernel of this machine shows with the volumes that should be here: persistent names follow each observation
 * and each change of what is wanted, and the server is told of both.
 */
export class HostDevices {
  readonly #options: HostDevicesOptions;
  readonly #keeper: LinkKeeper | null;
  #devices: readonly ObservedDevice[] | null = null;
  #volumes: readonly NodeVolume[] | null = null;
  /** What was said last and still holds here, so that only a change begins a pass. */
  #saidVolumes = '';

  constructor(options: HostDevicesOptions) {
    this.#options = options;
    this.#keeper = options.links === null ? null : new LinkKeeper(options.links);
  }

  /** The kernel shows these devices now. */
  observed(devices: readonly ObservedDevice[]): void {
    this.#devices = devices;
    this.#options.tell('devices', devicesReport(devices));
    this.#follow();
  }

  /** These volumes are attached at this machine, or are on their way. */
  wanted(volumes: readonly NodeVolume[]): void {
    const said = JSON.stringify(volumes);
    if (said === this.#saidVolumes) return;
    this.#saidVolumes = said;
    this.#volumes = volumes;
    this.#follow();
  }

  /**
   * Takes the name of a volume away before it is detached. Throws `conflict` (`{reason: 'in_use'}`) while somebody has it
   * open.
   */
  async release(volumeId: string, signal: AbortSignal): Promise<void> {
    if (this.#keeper === null || this.#devices === null) return;
    // Should the detach be refused, the server says again what it said before, and that is a change here.
    this.#saidVolumes = '';
    this.#volumes = (this.#volumes ?? []).map((one) => (one.volumeId === volumeId ? { ...one, isWanted: false } : one));
    const { leftovers } = await this.#pass(this.#keeper, signal);
    const left = leftovers.find(({ name }) => name === linkNames(volumeId).name);
    if (left === undefined) return;
    throw new HoldfastError('conflict', left.reason, { reason: 'in_use', device: left.name });
  }

  #follow(): void {
    // Before the server has said what should be here, everything would look unwanted.
    if (this.#keeper === null || this.#devices === null || this.#volumes === null) return;
    this.#pass(this.#keeper, AbortSignal.timeout(this.#options.timeoutMs)).catch(this.#options.onProblem);
  }

  async #pass(keeper: LinkKeeper, signal: AbortSignal): Promise<LinkPass> {
    const volumes = this.#volumes ?? [];
    const devices = this.#devices ?? [];
    const correlation: Correlation = correlate(devices, volumes);
    const pass = await keeper.pass({ wanted: volumes.filter((one) => one.isWanted), devices, correlation }, signal);
    const report: LinksReport = { links: pass.links, leftovers: pass.leftovers, cut: pass.cut };
    this.#options.tell('links', report);
    return pass;
  }
}
