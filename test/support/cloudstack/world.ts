import { randomUUID } from 'node:crypto';
import { refused, unknownId } from './refusal.ts';

export const GIB = 1024n ** 3n;

export interface SimVolume {
  readonly id: string;
  readonly name: string;
  readonly zoneId: string;
  readonly sequence: number;
  readonly snapshotId: string | null;
  readonly offeringId: string;
  readonly tags: Map<string, string>;
  state: string;
  type: 'ROOT' | 'DATADISK';
  sizeBytes: bigint;
  vmId: string | null;
  deviceId: number | null;
}

export interface SimSnapshot {
  readonly id: string;
  readonly name: string;
  readonly volumeId: string;
  readonly sequence: number;
  readonly sizeBytes: bigint;
  state: string;
}

export interface SimVm {
  readonly id: string;
  readonly name: string;
  readonly zoneId: string;
  readonly maxDataDisks: number;
  state: 'Running' | 'Stopped' | 'Starting' | 'Destroyed';
}

export interface SimOffering {
  readonly id: string;
  readonly name: string;
  /** GiB; absent for one of custom size. */
  readonly diskSize?: number;
}

/** Data disks that a VM can have on KVM. */
const dataDisksMax = 13;

/** What the simulated CloudStack has. Its restart does not touch it, as a database outlives its server. */
export class World {
  readonly zoneId = randomUUID();
  readonly otherZoneId = randomUUID();
  readonly volumes = new Map<string, SimVolume>();
  readonly snapshots = new Map<string, SimSnapshot>();
  readonly vms = new Map<string, SimVm>();
  readonly offerings = new Map<string, SimOffering>();
  readonly customOffering: SimOffering = { id: randomUUID(), name: 'Custom' };
  readonly fixedOffering: SimOffering = { id: randomUUID(), name: 'Small', diskSize: 5 };
  #sequence = 0;

  constructor() {
    for (const offering of [this.customOffering, this.fixedOffering]) this.offerings.set(offering.id, offering);
  }

  addVolume(volume: Partial<SimVolume> & Pick<SimVolume, 'name' | 'sizeBytes' | 'state'>): SimVolume {
    const made: SimVolume = {
      id: randomUUID(),
      zoneId: this.zoneId,
      sequence: ++this.#sequence,
      snapshotId: null,
      offeringId: this.customOffering.id,
      tags: new Map(),
      type: 'DATADISK',
      vmId: null,
      deviceId: null,
      ...volume,
    };
    this.volumes.set(made.id, made);
    return made;
  }

  addSnapshot(name: string, volume: SimVolume, state: string): SimSnapshot {
    const { id: volumeId, sizeBytes } = volume;
    const made = { id: randomUUID(), name, volumeId, sequence: ++this.#sequence, sizeBytes, state };
    this.snapshots.set(made.id, made);
    return made;
  }

  addVm(vm: Partial<SimVm> = {}): SimVm {
    const id = vm.id ?? randomUUID();
    const name = `i-2-${++this.#sequence}-VM`;
    const made: SimVm = { name, zoneId: this.zoneId, maxDataDisks: dataDisksMax, state: 'Running', ...vm, id };
    this.vms.set(id, made);
    return made;
  }

  volumeNamed(name: string): SimVolume {
    const found = [...this.volumes.values()].find((volume) => volume.name === name);
    if (found === undefined) throw new Error(`the simulated CloudStack has no volume ${name}`);
    return found;
  }

  volumesOf(vmId: string): readonly SimVolume[] {
    return [...this.volumes.values()].filter((volume) => volume.vmId === vmId);
  }

  volume(command: string, id: string | undefined): SimVolume {
    const found = this.volumes.get(required('id', id));
    if (found === undefined) throw unknownId(command, 'id', id!);
    return found;
  }

  vm(command: string, id: string | undefined): SimVm {
    const found = this.vms.get(required('virtualmachineid', id));
    if (found === undefined) throw unknownId(command, 'virtualmachineid', id!);
    return found;
  }

  snapshot(command: string, id: string | undefined, parameter = 'id'): SimSnapshot {
    const found = this.snapshots.get(required(parameter, id));
    if (found === undefined) throw unknownId(command, parameter, id!);
    return found;
  }
}

export function required(parameter: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw refused(`Unable to execute API command due to missing parameter ${parameter}`);
}
