import { type Cloud, type Given } from './commands.ts';
import type { SimJob } from './jobs.ts';
import { refused } from './refusal.ts';
import type { SimSnapshot, SimVm, SimVolume } from './world.ts';

type Json = Record<string, unknown>;

const account = { account: 'holdfast', domainid: '8ac7f4b4-0000-4000-8000-000000000001', domain: 'ROOT' };
const pageSizeMax = 500;

export function renderVolume({ world, jobs }: Cloud, volume: SimVolume): Json {
  const vm = volume.vmId === null ? undefined : world.vms.get(volume.vmId);
  const offering = world.offerings.get(volume.offeringId)?.name;
  const attached =
    volume.vmId === null
      ? {}
      : {
          deviceid: volume.deviceId,
          virtualmachineid: volume.vmId,
          vmname: vm?.name,
          vmdisplayname: vm?.name,
          vmstate: vm?.state,
          attached: timeOf(volume.sequence),
        };
  return {
    id: volume.id,
    name: volume.name,
    zoneid: volume.zoneId,
    zonename: volume.zoneId === world.zoneId ? 'zone-1' : 'zone-2',
    type: volume.type,
    ...attached,
    size: volume.sizeBytes,
    created: timeOf(volume.sequence),
    state: volume.state,
    ...account,
    storagetype: 'shared',
    provisioningtype: 'thin',
    hypervisor: 'KVM',
    diskofferingid: volume.offeringId,
    diskofferingname: offering,
    diskofferingdisplaytext: offering,
    ...(volume.state === 'Allocated' ? {} : { storage: 'primary-1', path: volume.id }),
    destroyed: volume.state === 'Destroy',
    isextractable: true,
    ...(volume.snapshotId === null ? {} : { snapshotid: volume.snapshotId }),
    tags: renderTags(volume),
    ...pending(jobs.pendingOn(volume.id)),
  };
}

export function renderSnapshot({ jobs }: Cloud, snapshot: SimSnapshot): Json {
  return {
    id: snapshot.id,
    ...account,
    snapshottype: 'MANUAL',
    volumeid: snapshot.volumeId,
    created: timeOf(snapshot.sequence),
    name: snapshot.name,
    intervaltype: 'MANUAL',
    state: snapshot.state,
    virtualsize: snapshot.sizeBytes,
    tags: [],
    ...pending(jobs.pendingOn(snapshot.id)),
  };
}

export function renderVm({ id, name, zoneId, state }: SimVm): Json {
  return { id, name, displayname: name, ...account, state, zoneid: zoneId, hypervisor: 'KVM' };
}

export function renderJob(job: SimJob): Json {
  const { instanceType, instanceId } = job.work;
  return {
    accountid: '1cd2f4b4-0000-4000-8000-000000000002',
    userid: '1cd2f4b4-0000-4000-8000-000000000003',
    cmd: `org.apache.cloudstack.api.command.user.${job.command}Cmd`,
    jobstatus: job.status,
    jobprocstatus: 0,
    jobresultcode: job.resultCode,
    ...(job.result === null ? {} : { jobresulttype: 'object', jobresult: job.result }),
    ...(instanceType === undefined ? {} : { jobinstancetype: instanceType, jobinstanceid: instanceId }),
    created: job.created,
    ...(job.status === 0 ? {} : { completed: job.created }),
    jobid: job.id,
  };
}

/** A list as CloudStack has it: with the count of all, and with nothing at all when it is empty. */
export function page(key: string, rows: readonly Json[], given: Given): Json {
  const size = Number(given['pagesize'] ?? pageSizeMax);
  if (size > pageSizeMax) throw refused(`Page size can not exceed max value ${pageSizeMax}`);
  const first = (Number(given['page'] ?? 1) - 1) * size;
  const listed = rows.slice(first, first + size);
  return listed.length === 0 ? {} : { count: rows.length, [key]: listed };
}

function renderTags(volume: SimVolume): Json[] {
  return [...volume.tags].map(([key, value]) => ({
    key,
    value,
    resourcetype: 'Volume',
    resourceid: volume.id,
    ...account,
  }));
}

function pending(job: SimJob | undefined): Json {
  return job === undefined ? {} : { jobid: job.id, jobstatus: 0 };
}

/** Seconds only, as in CloudStack, so that several things have the same age. */
function timeOf(sequence: number): string {
  const at = new Date(Date.UTC(2026, 10, 21, 10) + Math.floor(sequence / 3) * 1000);
  return at.toISOString().replace(/\.\d+Z$/, '+0000');
}
