import type { Command } from './commands.ts';
import { unknownId } from './refusal.ts';
import { page, renderJob, renderSnapshot, renderVm, renderVolume } from './render.ts';
import { required } from './world.ts';

export const readCommands: Readonly<Record<string, Command>> = {
  listVolumes: (cloud, given) => {
    const { id, name, zoneid, virtualmachineid, type } = given;
    if (id !== undefined && !cloud.world.volumes.has(id)) throw unknownId('listVolumes', 'id', id);
    const rows = [...cloud.world.volumes.values()]
      .filter((volume) => id === undefined || volume.id === id)
      // The database compares without regard to case.
      .filter((volume) => name === undefined || volume.name.toLowerCase() === name.toLowerCase())
      .filter((volume) => zoneid === undefined || volume.zoneId === zoneid)
      .filter((volume) => virtualmachineid === undefined || volume.vmId === virtualmachineid)
      .filter((volume) => type === undefined || volume.type === type)
      .toSorted((a, b) => b.sequence - a.sequence);
    const rendered = rows.map((volume) => renderVolume(cloud, volume));
    return { answer: page('volume', rendered, given) };
  },

  listSnapshots: (cloud, given) => {
    const rows = [...cloud.world.snapshots.values()]
      .filter(({ volumeId }) => given['volumeid'] === undefined || volumeId === given['volumeid'])
      .toSorted((a, b) => b.sequence - a.sequence);
    const rendered = rows.map((snapshot) => renderSnapshot(cloud, snapshot));
    return { answer: page('snapshot', rendered, given) };
  },

  listVirtualMachines: (cloud, given) => {
    const { id } = given;
    if (id !== undefined && !cloud.world.vms.has(id)) throw unknownId('listVirtualMachines', 'id', id);
    const rows = [...cloud.world.vms.values()].filter((vm) => id === undefined || vm.id === id);
    return { answer: page('virtualmachine', rows.map(renderVm), given) };
  },

  listZones: ({ world }, given) => {
    const zones = [
      { id: world.zoneId, name: 'zone-1', networktype: 'Advanced', allocationstate: 'Enabled' },
      { id: world.otherZoneId, name: 'zone-2', networktype: 'Advanced', allocationstate: 'Enabled' },
    ];
    const rows = zones.filter(({ id }) => given['id'] === undefined || id === given['id']);
    if (rows.length === 0) throw unknownId('listZones', 'id', given['id']!);
    return { answer: page('zone', rows, given) };
  },

  listDiskOfferings: ({ world }, given) => {
    const offerings = [...world.offerings.values()].filter(({ id }) => given['id'] === undefined || id === given['id']);
    if (offerings.length === 0) throw unknownId('listDiskOfferings', 'id', given['id']!);
    const rows = offerings.map(({ id, name, diskSize }) => ({
      id,
      name,
      displaytext: name,
      disksize: diskSize ?? 0,
      iscustomized: diskSize === undefined,
      created: '2026-11-21T10:00:00+0000',
    }));
    return { answer: page('diskoffering', rows, given) };
  },

  queryAsyncJobResult: ({ jobs }, given) => ({ answer: renderJob(jobs.find(required('jobid', given['jobid']))) }),
};
