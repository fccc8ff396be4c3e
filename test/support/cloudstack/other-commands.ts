import type { Command, Given } from './commands.ts';
import { Refusal, refused } from './refusal.ts';
import { renderSnapshot, renderVolume } from './render.ts';
import { busy } from './volume-commands.ts';
import { required } from './world.ts';

const snapshotTypeOf = { instanceType: 'Snapshot' as const };

export const snapshotCommands: Readonly<Record<string, Command>> = {
  createSnapshot: (cloud, given) => {
    const volume = cloud.world.volume('createSnapshot', given['volumeid']);
    if (volume.state !== 'Ready') {
      throw refused(`VolumeId: ${volume.id} is not in Ready state but ${volume.state}. Cannot take snapshot.`);
    }
    const snapshot = cloud.world.addSnapshot(given['name'] ?? '', volume, 'Creating');
    return {
      createdId: snapshot.id,
      job: {
        ...snapshotTypeOf,
        instanceId: snapshot.id,
        begin: () => {
          snapshot.state = 'BackingUp';
          return busy(volume, 'Snapshotting')();
        },
        effect: () => {
          snapshot.state = 'BackedUp';
          return { snapshot: renderSnapshot(cloud, snapshot) };
        },
      },
    };
  },

  deleteSnapshot: (cloud, given) => {
    const snapshot = cloud.world.snapshot('deleteSnapshot', given['id']);
    return {
      job: {
        ...snapshotTypeOf,
        instanceId: snapshot.id,
        check: () => {
          if (['BackedUp', 'CreatedOnPrimary', 'Error'].includes(snapshot.state)) return;
          throw refused(`Can't delete snapshotshot ${snapshot.id} due to it is in ${snapshot.state} Status`);
        },
        effect: () => {
          cloud.world.snapshots.delete(snapshot.id);
          return { success: true };
        },
      },
    };
  },

  revertSnapshot: (cloud, given) => {
    const snapshot = cloud.world.snapshot('revertSnapshot', given['id']);
    const volume = cloud.world.volume('revertSnapshot', snapshot.volumeId);
    return {
      job: {
        ...snapshotTypeOf,
        instanceId: snapshot.id,
        check: () => {
          if (volume.state !== 'Ready') throw refused('The volume is not in Ready state.');
          const vm = volume.vmId === null ? undefined : cloud.world.vms.get(volume.vmId);
          if (vm === undefined || vm.state === 'Stopped') return;
          throw refused('The VM the specified disk is attached to is not in the shutdown state.');
        },
        begin: busy(volume, 'RevertSnapshotting'),
        effect: () => {
          volume.sizeBytes = snapshot.sizeBytes;
          return { volume: renderVolume(cloud, volume) };
        },
      },
    };
  },
};

const valueLengthMax = 255;

export const tagCommands: Readonly<Record<string, Command>> = {
  createTags: ({ world }, given) => {
    const volume = world.volume('createTags', given['resourceids']);
    const tags = tagsIn(given);
    const effect = () => {
      // One transaction: all or none.
      for (const [key, value] of tags) {
        if (value === undefined || value === '') throw refused(`Value for the key ${key} is either null or empty`);
        if (value.length > valueLengthMax) throw new Refusal(530, "Data too long for column 'value'");
        if (volume.tags.has(key)) throw new Refusal(530, `tag ${key} already on Volume with id ${volume.id}`);
      }
      for (const [key, value] of tags) volume.tags.set(key, value!);
      return { success: true };
    };
    return { job: { effect } };
  },

  deleteTags: ({ world }, given) => {
    const volume = world.volume('deleteTags', given['resourceids']);
    const tags = tagsIn(given);
    const effect = () => {
      const doomed = [...volume.tags].filter(([key, value]) =>
        tags.some(([k, v]) => same(k, key) && (v === undefined || same(v, value))),
      );
      if (doomed.length === 0) throw new Refusal(530, 'Failed to delete tags');
      for (const [key] of doomed) volume.tags.delete(key);
      return { success: true };
    };
    return { job: { effect } };
  },
};

function tagsIn(given: Given): readonly (readonly [string, string | undefined])[] {
  if (given['resourcetype'] !== 'Volume') throw refused(`Invalid resource type ${given['resourcetype']}`);
  const tags: [string, string | undefined][] = [];
  for (let index = 0; given[`tags[${index}].key`] !== undefined; index++) {
    tags.push([required('key', given[`tags[${index}].key`]), given[`tags[${index}].value`]]);
  }
  return tags;
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
