import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { Hosts, KnownHost } from '../hosts.ts';
import { type PlacedVolume, volumesAtNode } from '../node-volumes.ts';
import { type Correlation, correlate } from './correlate.ts';
import { findDevice } from './device-path.ts';
import type { LinksReport } from './host-devices.ts';
import type { ObservedDevice } from './observe.ts';
import { readDevicesReport } from './report.ts';

/** What an agent said of its machine, joined with the volumes that are attached there. */
export interface NodeView {
  readonly host: KnownHost;
  readonly volumes: readonly PlacedVolume[];
  readonly devices: readonly ObservedDevice[];
  readonly correlation: Correlation;
  readonly links: LinksReport | null;
  /** When its agent was last heard; what it said holds from its last change until then. */
  readonly observedAtMs: number;
}

/** A volume as the kernel of its machine shows it. */
export interface SeenDevice {
  readonly host: string;
  readonly device: ObservedDevice;
  /** Such as `/dev/mapper/vol…`; `null` when there is none now. */
  readonly persistentPath: string | null;
  readonly observedAtMs: number;
}

/** Where volumes are in the kernels of machines, both ways; truth is what agents observe. */
export class DeviceBook {
  readonly #store: Store;
  readonly #hosts: Hosts;

  constructor(store: Store, hosts: Hosts) {
    this.#store = store;
    this.#hosts = hosts;
  }

  /** `null` when no agent speaks for that node. */
  async nodeView(nodeId: string): Promise<NodeView | null> {
    const host = await this.#hosts.find(nodeId);
    if (host === null) return null;
    const [devices, links, volumes] = await Promise.all([
      this.#hosts.reported(host.id, 'devices'),
      this.#hosts.reported(host.id, 'links'),
      this.#store.read((reader) => volumesAtNode(reader, host.name)),
    ]);
    const observed = readDevicesReport(devices);
    const correlation = correlate(observed, volumes);
    const { heartbeatAtMs: observedAtMs } = host;
    return { host, volumes, devices: observed, correlation, links: links as LinksReport | null, observedAtMs };
  }

  /** The device that a volume is at a node; `null` when its agent sees none. */
  async deviceAt(nodeId: string, volumeId: string): Promise<SeenDevice | null> {
    const view = await this.nodeView(nodeId);
    return view === null ? null : seenIn(view, volumeId);
  }

  /** The volume that a device of a node is. Throws `not_found` for an unknown node or device, `conflict` in doubt. */
  async volumeAt(nodeId: string, path: string): Promise<{ readonly volume: PlacedVolume; readonly seen: SeenDevice }> {
    const view = await this.nodeView(nodeId);
    if (view === null) throw new HoldfastError('not_found', `There is no host ${nodeId}.`, { field: 'host' });
    const device = findDevice(path, view.devices);
    if (device === null) throw new HoldfastError('not_found', `Host ${nodeId} has no device ${path.slice(0, 200)}.`);
    const base = view.links?.links.find(({ name }) => name === device.deviceMapper?.name)?.volumeId;
    const match = view.correlation.matches.find((each) => each.device.name === device.name);
    const volumeId = match?.volumeId ?? base;
    const volume = view.volumes.find((each) => each.volumeId === volumeId);
    const seen = volume === undefined ? null : seenIn(view, volume.volumeId);
    if (volume !== undefined && seen !== null) return { volume, seen };
    const doubt = view.correlation.doubts.find(({ devices }) => devices.includes(device.name));
    if (doubt !== undefined) throw new HoldfastError('conflict', doubt.message, { reason: doubt.reason });
    throw new HoldfastError('not_found', `Device ${device.name} of host ${nodeId} is no volume of Holdfast.`);
  }
}

function seenIn({ host, correlation, links, observedAtMs }: NodeView, volumeId: string): SeenDevice | null {
  const device = correlation.matches.find((match) => match.volumeId === volumeId)?.device;
  if (device === undefined) return null;
  const link = links?.links.find((each) => each.volumeId === volumeId && each.state === 'linked');
  return { host: host.name, device, persistentPath: link?.devicePath ?? null, observedAtMs };
}
