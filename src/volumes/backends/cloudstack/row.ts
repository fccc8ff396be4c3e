import type { ImageDetails } from '../backend.ts';
import { detailsOf } from './details.ts';
import { type JsonObject, bigintIn, integerIn, objectsIn, requiredText, textIn } from './json.ts';

/** A volume as CloudStack lists it, without what Holdfast does not use. */
export interface VolumeRow {
  readonly id: string;
  /** Not unique in CloudStack. */
  readonly name: string;
  readonly state: string;
  readonly type: string;
  readonly sizeBytes: bigint;
  readonly created: string;
  readonly zone: string;
  readonly zoneId: string | null;
  readonly virtualMachineId: string | null;
  readonly deviceId: number | null;
  /** The job that works on it now. */
  readonly jobId: string | null;
  readonly snapshotId: string | null;
  readonly tags: ReadonlyMap<string, string>;
  /** What is shown to people. */
  readonly details: ImageDetails;
}

const states: Readonly<Record<string, Place>> = {
  Creating: 'unfinished',
  NotUploaded: 'unfinished',
  UploadOp: 'unfinished',
  UploadInProgress: 'unfinished',
  Destroy: 'trash',
  Destroying: 'trash',
  Expunging: 'gone',
  Expunged: 'gone',
  UploadAbandoned: 'gone',
  UploadError: 'gone',
};

/** `unfinished`: it stands, but its content is not all there. */
export type Place = 'live' | 'unfinished' | 'trash' | 'gone';

/** Where a volume in this state is. `Allocated`, `Ready` and everything that is done to a whole volume is live. */
export function placeOf(state: string): Place {
  return Object.hasOwn(states, state) ? states[state]! : 'live';
}

/** @throws HoldfastError `backend` when what makes it a volume is missing */
export function toRow(object: JsonObject): VolumeRow {
  // A job that has ended stays on the row for a while.
  const isPending = integerIn(object, 'jobstatus') === 0;
  return {
    id: requiredText(object, 'id', 'a volume'),
    name: textIn(object, 'name') ?? '',
    state: requiredText(object, 'state', 'a volume'),
    type: textIn(object, 'type') ?? 'DATADISK',
    sizeBytes: bigintIn(object, 'size') ?? 0n,
    created: textIn(object, 'created') ?? '',
    zone: textIn(object, 'zonename') ?? textIn(object, 'zoneid') ?? 'unknown zone',
    zoneId: textIn(object, 'zoneid'),
    virtualMachineId: textIn(object, 'virtualmachineid'),
    deviceId: integerIn(object, 'deviceid'),
    jobId: isPending ? textIn(object, 'jobid') : null,
    snapshotId: textIn(object, 'snapshotid'),
    tags: new Map(objectsIn(object, 'tags').map((tag) => [textIn(tag, 'key') ?? '', textIn(tag, 'value') ?? ''])),
    details: detailsOf(object),
  };
}
