import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { hostIdOf, hostNqnOf } from '../nvme-host.ts';
import type { ConnectionTarget, Connector, Link } from './connector.ts';
import { attribute, entries } from './sysfs.ts';
import type { NodeSystem } from './system.ts';

const connectTimeoutMs = 30_000;
const appearTimeoutMs = 10_000;
const lookAgainMs = 50;

/**
 * Devices of the kernel's NVMe/TCP host. An export is recognised by the name of its subsystem (NQN), which holds the volume and
 * the attachment's generation, and which the kernel keeps with the device.
 */
export class NvmeofConnector implements Connector {
  readonly #system: NodeSystem;
  readonly #nodeId: string;
  readonly #subsystems: string;

  /** `root`: where `sys` is. */
  constructor(system: NodeSystem, nodeId: string, root = '/') {
    this.#system = system;
    this.#nodeId = nodeId;
    this.#subsystems = `${root}/sys/class/nvme-subsystem`;
  }

  async find({ context }: ConnectionTarget): Promise<string | null> {
    const subsystem = await this.#subsystemOf(context['name'] ?? '');
    if (subsystem === null) return null;
    const names = await entries(this.#subsystems, subsystem);
    const namespace = names.find((name) => /^nvme\d+n\d+$/.test(name));
    return namespace === undefined || (await this.#liveControllers(subsystem)).length === 0
      ? null
      : `/dev/${namespace}`;
  }

  /** The kernel keeps a subsystem for as long as it tries to connect again (`ctrl_loss_tmo`, 10 minutes), then forgets it. */
  async link(target: ConnectionTarget): Promise<Link> {
    if ((await this.#subsystemOf(target.context['name'] ?? '')) === null) return 'lost';
    return (await this.find(target)) === null ? 'waiting' : 'live';
  }

  async connect(
    target: ConnectionTarget,
    note: (handle: object & Record<string, string>) => Promise<void>,
  ): Promise<string> {
    const { host = '', port = '', name = '' } = target.context;
    await note({ nqn: name });
    const who = ['--hostnqn', hostNqnOf(this.#nodeId), '--hostid', hostIdOf(this.#nodeId)];
    const args = ['connect', '-t', 'tcp', '-a', host, '-s', port, '-n', name, ...who];
    const { code, stderr } = await this.#system.run('nvme', args, connectTimeoutMs);
    // A connection that is there already is an error of nvme's; whether it is the right one, the device says.
    const deadlineAt = performance.now() + (code === 0 ? appearTimeoutMs : 0);
    for (;;) {
      const device = await this.find(target);
      if (device !== null) return device;
      if (performance.now() >= deadlineAt) break;
      await delay(lookAgainMs);
    }
    const why = code === 0 ? 'no device appeared' : stderr.trim().slice(-500);
    throw new HoldfastError('unavailable', `nvme could not connect to ${host}:${port}: ${why}`, { nqn: name });
  }

  async disconnect({ context, handle }: ConnectionTarget): Promise<void> {
    const nqn = handle['nqn'] ?? context['name'] ?? '';
    if ((await this.#subsystemOf(nqn)) === null) return;
    const { code, stderr } = await this.#system.run('nvme', ['disconnect', '-n', nqn], connectTimeoutMs);
    if (code !== 0 && (await this.#subsystemOf(nqn)) !== null) {
      throw new HoldfastError('backend', `nvme could not disconnect ${nqn}: ${stderr.trim().slice(-500)}`);
    }
  }

  async refresh({ context }: ConnectionTarget): Promise<void> {
    const subsystem = await this.#subsystemOf(context['name'] ?? '');
    if (subsystem === null) return;
    for (const controller of await this.#liveControllers(subsystem)) {
      await this.#system.run('nvme', ['ns-rescan', `/dev/${controller}`], connectTimeoutMs);
    }
  }

  async #subsystemOf(nqn: string): Promise<string | null> {
    if (nqn === '') return null;
    for (const subsystem of await entries(this.#subsystems)) {
      if ((await attribute(this.#subsystems, subsystem, 'subsysnqn')) === nqn) return subsystem;
    }
    return null;
  }

  async #liveControllers(subsystem: string): Promise<string[]> {
    const live: string[] = [];
    for (const name of await entries(this.#subsystems, subsystem)) {
      if (!/^nvme\d+$/.test(name)) continue;
      if ((await attribute(this.#subsystems, subsystem, name, 'state')) === 'live') live.push(name);
    }
    return live;
  }
}
