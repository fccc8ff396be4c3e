import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Labels } from '../messages.ts';
import type { ConnectionTarget, Connector, Link } from './connector.ts';
import { attribute, entries } from './sysfs.ts';
import type { NodeSystem } from './system.ts';

const connectTimeoutMs = 30_000;
const readTimeoutMs = 10_000;
const attemptsMax = 8;
/** Seconds without an answer after which the kernel gives a request up. */
const requestTimeout = '30';

/**
 * Devices of the kernel's NBD driver. Connections are made over netlink, so that the kernel holds them and they outlive this
 * process. NBD gives a device nothing that tells what is behind it; what does is the connection: the process number that
 * the kernel keeps of whoever made it, together with the machine's boot. A device with another one is not ours.
 */
export class NbdConnector implements Connector {
  readonly #system: NodeSystem;
  readonly #blocks: string;
  readonly #bootId: string;

  /** `root`: where `sys` and `proc` are. */
  constructor(system: NodeSystem, root = '/') {
    this.#system = system;
    this.#blocks = `${root}/sys/block`;
    this.#bootId = `${root}/proc/sys/kernel/random/boot_id`;
  }

  async find({ handle }: ConnectionTarget): Promise<string | null> {
    const { device, pid, boot } = handle;
    if (device === undefined || pid === undefined || boot !== (await attribute(this.#bootId))) return null;
    return (await this.#pidOf(device)) === pid ? `/dev/${device}` : null;
  }

  /**
   * A connection whose server ended keeps its device and its process number, and fails whatever is asked of it. So it is
   * asked for a block, past the kernel's own memory of it. Nothing connects it again.
   */
  async link(target: ConnectionTarget): Promise<Link> {
    const device = await this.find(target);
    if (device === null) return 'lost';
    try {
      const args = [`if=${device}`, 'of=/dev/null', 'bs=4096', 'count=1', 'iflag=direct'];
      return (await this.#system.run('dd', args, readTimeoutMs)).code === 0 ? 'live' : 'lost';
    } catch (error) {
      // No answer yet: the kernel gives the request up when its time has passed.
      if (error instanceof HoldfastError && error.details['timeout_ms'] !== undefined) return 'waiting';
      throw error;
    }
  }

  async connect({ context }: ConnectionTarget, note: (handle: Labels) => Promise<void>): Promise<string> {
    const { host = '', port = '', name = '' } = context;
    const refused = new Set<string>();
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const device = await this.#freeDevice(refused);
      await note({ device });
      const args = [host, port, `/dev/${device}`, '-name', name, '-timeout', requestTimeout];
      const { code, stderr } = await this.#system.run('nbd-client', args, connectTimeoutMs);
      const pid = code === 0 ? await this.#pidOf(device) : null;
      if (pid !== null) {
        await note({ device, pid, boot: (await attribute(this.#bootId)) ?? '' });
        return `/dev/${device}`;
      }
      // Somebody else took the device in between: the next one is tried. Anything else is the server's answer.
      if ((await this.#pidOf(device)) === null) {
        const message = `nbd-client could not connect to ${host}:${port}: ${stderr.trim().slice(-500)}`;
        throw new HoldfastError('unavailable', message, { uri: context['uri'] ?? null });
      }
      refused.add(device);
    }
    throw new HoldfastError('unavailable', 'The NBD devices of this node are taken faster than they can be had.');
  }

  async disconnect(target: ConnectionTarget): Promise<void> {
    const device = await this.find(target);
    if (device === null) return;
    const { code, stderr } = await this.#system.run('nbd-client', ['-d', device], connectTimeoutMs);
    if (code !== 0 && (await this.find(target)) !== null) {
      throw new HoldfastError('backend', `nbd-client could not disconnect ${device}: ${stderr.trim().slice(-500)}`);
    }
  }

  /** The kernel asks an NBD server for its size only when it connects. */
  async refresh(): Promise<void> {
    return;
  }

  #pidOf(device: string): Promise<string | null> {
    return attribute(this.#blocks, device, 'pid');
  }

  async #freeDevice(refused: ReadonlySet<string>): Promise<string> {
    const names = (await entries(this.#blocks)).filter((name) => /^nbd\d+$/.test(name) && !refused.has(name));
    const ordered = names.toSorted((one, other) => Number(one.slice(3)) - Number(other.slice(3)));
    for (const name of ordered) {
      const isFree = (await this.#pidOf(name)) === null && (await attribute(this.#blocks, name, 'size')) === '0';
      if (isFree) return name;
    }
    const why =
      names.length === 0 ? 'has no NBD devices: modprobe nbd' : 'has no free NBD device: see nbds_max of the module';
    throw new HoldfastError('unavailable', `This node ${why}.`);
  }
}
