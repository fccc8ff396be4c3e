import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { ConnectionTarget, Connector, Link } from './connector.ts';
import { attribute, entries } from './sysfs.ts';

const appearTimeoutMs = 10_000;
const lookAgainMs = 100;

/** Disks that a hypervisor gives this machine when the volume is attached, recognised by their serial. */
export class LocalConnector implements Connector {
  readonly #blocks: string;

  /** `root`: where `sys` is. */
  constructor(root = '/') {
    this.#blocks = `${root}/sys/block`;
  }

  async find({ context }: ConnectionTarget): Promise<string | null> {
    const wanted = context['serial'];
    if (wanted === undefined || wanted === '') return null;
    for (const name of await entries(this.#blocks)) {
      const serial =
        (await attribute(this.#blocks, name, 'serial')) ?? (await attribute(this.#blocks, name, 'device', 'serial'));
      if (serial === wanted) return `/dev/${name}`;
    }
    return null;
  }

  async link(target: ConnectionTarget): Promise<Link> {
    return (await this.find(target)) === null ? 'lost' : 'live';
  }

  async connect(target: ConnectionTarget): Promise<string> {
    const deadlineAt = performance.now() + appearTimeoutMs;
    for (;;) {
      const device = await this.find(target);
      if (device !== null) return device;
      if (performance.now() >= deadlineAt) break;
      await delay(lookAgainMs);
    }
    const serial = target.context['serial'] ?? '';
    const message = `No disk of this node has the serial ${serial} of volume ${target.volumeId}.`;
    throw new HoldfastError('unavailable', message, { serial });
  }

  /** The disk goes when the volume is detached. */
  async disconnect(): Promise<void> {
    return;
  }

  /** The hypervisor tells the kernel by itself. */
  async refresh(): Promise<void> {
    return;
  }
}
