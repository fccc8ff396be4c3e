import type { Cloud, Command } from './commands.ts';
import { Refusal, refused, unknownId } from './refusal.ts';
import { renderVolume } from './render.ts';
import { GIB, type SimVm, type SimVolume, required } from './world.ts';

const volumeTypeOf = { instanceType: 'Volume' as const };

export const volumeCommands: Readonly<Record<string, Command>> = {
  createVolume: (cloud, given) => {
    const volume = given['snapshotid'] === undefined ? allocate(cloud, given) : allocateCopy(cloud, given);
    const isCopy = volume.snapshotId !== null;
    return {
      createdId: volume.id,
      job: {
        ...volumeTypeOf,
        instanceId: volume.id,
        effect: () => {
          if (isCopy) volume.state = 'Ready';
          return { volume: renderVolume(cloud, volume) };
        },
        failed: () => {
          if (isCopy) volume.state = 'Destroy';
        },
      },
    };
  },

  attachVolume: (cloud, given) => {
    const volume = cloud.world.volume('attachVolume', given['id']);
    const vm = cloud.world.vm('attachVolume', given['virtualmachineid']);
    const wanted = given['deviceid'] === undefined ? null : Number(given['deviceid']);
    return {
      job: {
        ...volumeTypeOf,
        instanceId: volume.id,
        check: () => checkAttach(cloud, volume, vm, wanted),
        begin: busy(volume, 'Attaching'),
        effect: () => {
          volume.vmId = vm.id;
          volume.deviceId = wanted ?? freeDevice(cloud, vm);
          volume.type = volume.deviceId === 0 ? 'ROOT' : 'DATADISK';
          // The first attach is what makes the disk of a volume that was only allocated.
          volume.state = 'Ready';
          return { volume: renderVolume(cloud, volume) };
        },
      },
    };
  },

  detachVolume: (cloud, given) => {
    const { id, virtualmachineid: vmId, deviceid } = given;
    const byDevice = cloud.world.volumesOf(vmId ?? '').find((each) => each.deviceId === Number(deviceid));
    const volume = id === undefined ? byDevice : cloud.world.volume('detachVolume', id);
    if (volume === undefined) throw refused(`Unable to find volume with ID: ${deviceid}`);
    return {
      job: {
        ...volumeTypeOf,
        instanceId: volume.id,
        check: () => checkDetach(cloud, volume),
        effect: () => {
          volume.vmId = null;
          volume.deviceId = null;
          volume.type = 'DATADISK';
          return { volume: renderVolume(cloud, volume) };
        },
      },
    };
  },

  resizeVolume: (cloud, given) => {
    const volume = cloud.world.volume('resizeVolume', given['id']);
    const sizeBytes = BigInt(required('size', given['size'])) * GIB;
    return {
      job: {
        ...volumeTypeOf,
        instanceId: volume.id,
        check: () => checkResize(volume, sizeBytes, given['shrinkok'] === 'true'),
        begin: busy(volume, 'Resizing'),
        effect: () => {
          volume.sizeBytes = sizeBytes;
          return { volume: renderVolume(cloud, volume) };
        },
      },
    };
  },

  deleteVolume: (cloud, given) => {
    const volume = cloud.world.volume('deleteVolume', given['id']);
    checkRemovable(cloud, volume);
    cloud.world.volumes.delete(volume.id);
    // Old servers write a string.
    return { answer: { success: 'true' } };
  },

  destroyVolume: (cloud, given) => {
    const volume = cloud.world.volume('destroyVolume', given['id']);
    const isExpunged = given['expunge'] === 'true';
    return {
      job: {
        ...volumeTypeOf,
        instanceId: volume.id,
        check: () => {
          checkRemovable(cloud, volume);
          if (!isExpunged && ['Allocated', 'Uploaded'].includes(volume.state)) {
            throw refused('The volume in Allocated/Uploaded state can only be expunged not destroyed/recovered');
          }
        },
        effect: () => {
          if (isExpunged) cloud.world.volumes.delete(volume.id);
          else volume.state = 'Destroy';
          return { volume: renderVolume(cloud, volume) };
        },
      },
    };
  },

  recoverVolume: (cloud, given) => {
    const volume = cloud.world.volume('recoverVolume', given['id']);
    if (volume.state !== 'Destroy') throw refused('Please specify a volume in Destroy state.');
    volume.state = 'Ready';
    return { answer: { volume: renderVolume(cloud, volume) } };
  },
};

function allocate({ world }: Cloud, given: Readonly<Record<string, string | undefined>>): SimVolume {
  const offering = world.offerings.get(required('diskofferingid', given['diskofferingid']));
  if (offering === undefined) throw unknownId('createVolume', 'diskofferingid', given['diskofferingid']!);
  if (offering.diskSize !== undefined && given['size'] !== undefined) {
    throw refused('This disk offering does not allow custom size');
  }
  if (offering.diskSize === undefined && !/^[1-9]\d*$/.test(given['size'] ?? '')) {
    throw refused('This disk offering requires a custom size specified');
  }
  const sizeBytes = BigInt(offering.diskSize ?? given['size']!) * GIB;
  const zoneId = required('zoneid', given['zoneid']);
  if (zoneId !== world.zoneId && zoneId !== world.otherZoneId) throw unknownId('createVolume', 'zoneid', zoneId);
  const name = given['name'] ?? '';
  return world.addVolume({ name, zoneId, sizeBytes, offeringId: offering.id, state: 'Allocated' });
}

function allocateCopy({ world }: Cloud, given: Readonly<Record<string, string | undefined>>): SimVolume {
  const snapshot = world.snapshot('createVolume', given['snapshotid'], 'snapshotid');
  if (snapshot.state !== 'BackedUp') {
    throw refused(`Snapshot id=${snapshot.id} is not in BackedUp state yet and can't be used for volume creation`);
  }
  const { id: snapshotId, sizeBytes } = snapshot;
  const parent = world.volumes.get(snapshot.volumeId);
  const zoneId = given['zoneid'] ?? parent?.zoneId ?? world.zoneId;
  if (parent !== undefined && zoneId !== parent.zoneId) {
    throw refused(`Snapshot id=${snapshotId} is not in zone ${zoneId}`);
  }
  return world.addVolume({ name: given['name'] ?? '', sizeBytes, zoneId, state: 'Creating', snapshotId });
}

function checkAttach({ world }: Cloud, volume: SimVolume, vm: SimVm, deviceId: number | null): void {
  if (volume.vmId !== null) throw refused('Please specify a volume that is not attached to any VM.');
  if (volume.state === 'Destroy') throw refused('Please specify a volume that is not destroyed.');
  if (!['Allocated', 'Ready', 'Uploaded'].includes(volume.state)) {
    throw refused('Volume state must be in Allocated, Ready or in Uploaded state');
  }
  if (vm.state !== 'Running' && vm.state !== 'Stopped') {
    throw refused('Please specify a VM that is either running or stopped.');
  }
  if (vm.zoneId !== volume.zoneId) throw refused('Please specify a VM that is in the same zone as the volume.');
  const disks = world.volumesOf(vm.id);
  if (deviceId === 0) {
    if (disks.some((disk) => disk.deviceId === 0)) throw refused('Vm already has root volume attached to it');
    checkRootState(vm);
    return;
  }
  if (disks.filter((disk) => disk.type === 'DATADISK').length >= vm.maxDataDisks) {
    const text = `The specified VM already has the maximum number of data disks (${vm.maxDataDisks}) attached. Please specify another VM.`;
    throw refused(text);
  }
  if (disks.some((disk) => disk.deviceId === deviceId)) {
    throw new Refusal(530, `deviceId ${deviceId} is used by vm ${vm.id}`);
  }
}

function checkDetach({ world }: Cloud, volume: SimVolume): void {
  if (volume.vmId === null) throw refused('The specified volume is not attached to a VM.');
  const vm = world.vms.get(volume.vmId);
  if (volume.type === 'ROOT' && vm !== undefined) checkRootState(vm);
}

function checkRootState(vm: SimVm): void {
  if (vm.state === 'Stopped' || vm.state === 'Destroyed') return;
  throw refused('Root volume detach can happen only when vm is in states: Stopped or Destroyed');
}

function checkResize(volume: SimVolume, sizeBytes: bigint, mayShrink: boolean): void {
  if (!['Allocated', 'Ready'].includes(volume.state)) {
    const text = `Volume should be in ready or allocated state before attempting a resize. Volume ${volume.id} was in state ${volume.state}.`;
    throw refused(text);
  }
  if (sizeBytes >= volume.sizeBytes || mayShrink) return;
  const sizes = `Going from existing size of ${volume.sizeBytes} to size of ${sizeBytes}`;
  const text = `${sizes} would shrink the volume.Need to sign off by supplying the shrinkok parameter with value of true.`;
  throw new Refusal(432, text);
}

function checkRemovable({ world }: Cloud, volume: SimVolume): void {
  const isSnapshotted = [...world.snapshots.values()].some(
    ({ volumeId, state }) => volumeId === volume.id && ['Creating', 'BackingUp'].includes(state),
  );
  if (isSnapshotted) throw refused('There are snapshot operations in progress on the volume, unable to delete it');
  if (volume.vmId !== null) throw refused('Please specify a volume that is not attached to any VM.');
  if (volume.state === 'UploadOp') throw refused('Please specify a volume that is not uploading');
}

/** CloudStack keeps 0 for the root disk and 3 for the CD-ROM; the guest's own order is another. */
function freeDevice({ world }: Cloud, vm: SimVm): number {
  const used = new Set([0, 3, ...world.volumesOf(vm.id).map(({ deviceId }) => deviceId)]);
  for (let device = 1; ; device++) if (!used.has(device)) return device;
}

/** Shows a state while a job works, and puts back the one before. */
export function busy(volume: SimVolume, state: string): () => () => void {
  return () => {
    const before = volume.state;
    volume.state = state;
    return () => {
      volume.state = before;
    };
  };
}
