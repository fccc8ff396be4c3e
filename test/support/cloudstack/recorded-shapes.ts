/**
 * The fields of answers that real servers of CloudStack gave, and their JSON types: what is in the recordings of Apache
 * Libcloud's tests (`libcloud/test/compute/fixtures/cloudstack/`, servers of 2012 to 2014), and what newer servers add.
 * `always` is in every recording, `sometimes` depends on the state of things.
 */
export interface Shape {
  readonly always: Fields;
  readonly sometimes: Fields;
}

type Type = 'string' | 'number' | 'boolean' | 'array' | 'object';
type Fields = Readonly<Record<string, Type>>;

/** A job that works on what a row shows. */
const pendingJob: Fields = { jobid: 'string', jobstatus: 'number' };
const owner: Fields = { account: 'string', domainid: 'string', domain: 'string' };

export const shapes = {
  volume: {
    always: {
      id: 'string',
      name: 'string',
      zoneid: 'string',
      zonename: 'string',
      type: 'string',
      size: 'number',
      created: 'string',
      state: 'string',
      ...owner,
      storagetype: 'string',
      hypervisor: 'string',
      destroyed: 'boolean',
      isextractable: 'boolean',
      tags: 'array',
    },
    sometimes: {
      ...pendingJob,
      deviceid: 'number',
      virtualmachineid: 'string',
      vmname: 'string',
      vmdisplayname: 'string',
      vmstate: 'string',
      attached: 'string',
      diskofferingid: 'string',
      diskofferingname: 'string',
      diskofferingdisplaytext: 'string',
      storage: 'string',
      storageid: 'string',
      path: 'string',
      snapshotid: 'string',
      provisioningtype: 'string',
      miniops: 'number',
      maxiops: 'number',
      chaininfo: 'string',
      physicalsize: 'number',
      virtualsize: 'number',
    },
  },
  snapshot: {
    always: {
      id: 'string',
      ...owner,
      snapshottype: 'string',
      volumeid: 'string',
      created: 'string',
      name: 'string',
      intervaltype: 'string',
      state: 'string',
    },
    sometimes: { ...pendingJob, volumename: 'string', volumetype: 'string', virtualsize: 'number', tags: 'array' },
  },
  job: {
    always: {
      accountid: 'string',
      userid: 'string',
      cmd: 'string',
      jobstatus: 'number',
      jobprocstatus: 'number',
      jobresultcode: 'number',
      created: 'string',
      jobid: 'string',
    },
    sometimes: {
      jobresulttype: 'string',
      jobresult: 'object',
      jobinstancetype: 'string',
      jobinstanceid: 'string',
      completed: 'string',
    },
  },
  diskoffering: {
    always: {
      id: 'string',
      name: 'string',
      displaytext: 'string',
      disksize: 'number',
      iscustomized: 'boolean',
      created: 'string',
    },
    sometimes: {},
  },
  error: {
    always: { errorcode: 'number', errortext: 'string' },
    sometimes: { uuidList: 'array', cserrorcode: 'number' },
  },
  submitted: { always: { jobid: 'string' }, sometimes: { id: 'string' } },
  list: { always: { count: 'number' }, sometimes: { volume: 'array', snapshot: 'array', diskoffering: 'array' } },
} as const satisfies Readonly<Record<string, Shape>>;

/** What is wrong with an answer, measured by its shape; nothing when it is right. */
export function misshapen(answer: unknown, { always, sometimes }: Shape): readonly string[] {
  if (typeOf(answer) !== 'object') return [`it is ${typeOf(answer)}`];
  const known: Fields = { ...always, ...sometimes };
  const fields = Object.entries(answer as object);
  const wrong = fields
    .filter(([key, value]) => known[key] !== typeOf(value))
    .map(([key, value]) => `${key} is ${typeOf(value)}, recorded is ${known[key] ?? 'nothing'}`);
  const missing = Object.keys(always).filter((key) => !fields.some(([name]) => name === key));
  return [...wrong, ...missing.map((key) => `${key} is missing`)];
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return value === null ? 'null' : typeof value;
}
