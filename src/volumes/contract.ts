import Type from 'typebox';
import { endpoint } from '../kernel/http/contract.ts';
import { bytesInput, bytesOutput, idSchema, nullable, pageOf, pageQuery, timeSchema } from '../kernel/http/schemas.ts';
import { acceptedSchema } from '../kernel/operations/contract.ts';
import { deviceSchema } from './device-contract.ts';
import { exportOptions, transportSchema } from './export-contract.ts';
import type { BackendData } from './backend-data.ts';
import { volumeStates } from './fsm.ts';
import { snapshotNameScopes } from './volume.ts';

const name = Type.String({ minLength: 0, maxLength: 1000 });
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000_000 }));
const qosSchema = Type.Object(
  {
    iops: limit,
    read_iops: limit,
    write_iops: limit,
    bytes_per_second: limit,
    read_bytes_per_second: limit,
    write_bytes_per_second: limit,
  },
  { additionalProperties: false, description: 'Limits a second; absent is none.' },
);
const metadataSchema = Type.Record(Type.String({ minLength: 1, maxLength: 128 }), Type.String({ maxLength: 1024 }), {
  maxProperties: 64,
});

/** What CloudStack calls facts, in the words of this API; see `details.ts` of its backend. */
const cloudStackDataSchema = Type.Unsafe<BackendData>({
  type: 'object',
  properties: { as_of: timeSchema },
  required: ['as_of'],
  additionalProperties: true,
  description:
    'What CloudStack said of the volume when it was last read (`as_of`): by an operation on it, or by the reconciler. ' +
    '`id`, `state`, `type`, `vm_id`, `device_id`, `zone_id`, `disk_offering_id`, `size_bytes` (decimal text) and more.',
});

export const attachmentSchema = Type.Object({
  id: idSchema,
  node_id: Type.String(),
  vm_id: nullable(Type.String()),
  mode: Type.Enum(['rw', 'ro']),
  device: nullable(Type.Enum(['root'], { description: '`root`: the disk that the machine starts from.' })),
  generation: Type.Integer(),
  state: Type.Enum(['attaching', 'attached', 'detaching', 'detached', 'failed']),
  created_at: timeSchema,
});

export const volumeSchema = Type.Object({
  id: idSchema,
  name: Type.String(),
  state: Type.Enum([...volumeStates]),
  reason: nullable(Type.String({ description: 'Why it is in this state, where that is not obvious.' })),
  size_bytes: bytesOutput,
  backend: Type.String(),
  image: Type.String(),
  location: nullable(Type.String({ description: 'Where the bytes are.' })),
  node_id: nullable(Type.String({ description: 'Where it is attached.' })),
  attachments: Type.Array(attachmentSchema),
  metadata: Type.Record(Type.String(), Type.String()),
  qos: Type.Record(Type.String(), Type.Integer()),
  source_snapshot_id: nullable(Type.String()),
  attempt: Type.Integer({ description: 'Failed attempts of what is under way.' }),
  next_retry_at: nullable(timeSchema),
  last_operation: nullable(Type.Object({ id: idSchema, type: Type.String(), status: Type.String() })),
  version: Type.Integer(),
  created_at: timeSchema,
  updated_at: timeSchema,
  trash_expires_at: nullable(timeSchema),
  parameters: Type.Record(Type.String(), Type.String(), { description: 'What was asked of its backend alone.' }),
  cloudstack_data: nullable(cloudStackDataSchema),
  linux_data: nullable(deviceSchema),
});

export const snapshotSchema = Type.Object({
  id: idSchema,
  volume_id: idSchema,
  name: Type.String(),
  size_bytes: bytesOutput,
  state: Type.Enum(['creating', 'available', 'deleting', 'deleted', 'error']),
  reason: nullable(Type.String()),
  created_at: timeSchema,
});

/** What a stream of one volume tells. */
export const volumeEventSchema = Type.Object({
  volume_id: idSchema,
  name: Type.String(),
  state: Type.Enum([...volumeStates]),
  from: nullable(Type.String()),
  event: Type.String(),
  reason: nullable(Type.String()),
  timestamp: timeSchema,
  operation_id: nullable(Type.String()),
  actor: Type.String(),
  details: Type.Record(Type.String(), Type.Unknown()),
});

export const backendSchema = Type.Object({
  name: Type.String(),
  is_default: Type.Boolean(),
  capabilities: Type.Record(Type.String(), Type.Boolean()),
  status: Type.Enum(['healthy', 'unhealthy']),
  detail: Type.String(),
  // Plain numbers: a union with null cannot carry exact integers beyond 2^53, and no disk is that large.
  free_bytes: nullable(Type.Integer()),
  total_bytes: nullable(Type.Integer()),
});

const tag = 'volumes';
const volume = Type.Object({ volume: Type.String({ minLength: 1, maxLength: 1000, description: 'Id or name.' }) });
const snapshotParams = Type.Object({ ...volume.properties, snapshot: idSchema });
const closed = { additionalProperties: false };
const size = {
  size_bytes: Type.Optional(bytesInput),
  size_mb: Type.Optional(Type.Integer({ minimum: 0, description: 'In MiB.' })),
  size: Type.Optional(Type.String({ minLength: 1, maxLength: 40, description: 'With a unit, such as `10GiB`.' })),
};
const accepting = { tag, role: 'operator', status: 202, reply: acceptedSchema, isIdempotent: true } as const;
const reading = { tag, role: 'viewer', status: 200 } as const;

const backendId = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 64, description }));

export const volumeContract = {
  createVolume: endpoint({
    ...accepting,
    id: 'create_volume',
    method: 'POST',
    path: '/api/v1/volumes',
    summary: 'Makes a volume, empty or from a snapshot',
    body: Type.Object(
      {
        name,
        ...size,
        backend: Type.Optional(Type.String({ maxLength: 100 })),
        metadata: Type.Optional(metadataSchema),
        snapshot_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
        qos: Type.Optional(qosSchema),
        disk_offering_id: backendId('The disk offering, on CloudStack.'),
        zone_id: backendId('The zone, on CloudStack.'),
      },
      closed,
    ),
  }),
  listVolumes: endpoint({
    ...reading,
    id: 'list_volumes',
    method: 'GET',
    path: '/api/v1/volumes',
    summary: 'Volumes, oldest first; deleted ones only when asked for',
    query: Type.Object(
      {
        state: Type.Optional(Type.Enum([...volumeStates])),
        backend: Type.Optional(Type.String({ maxLength: 100 })),
        name: Type.Optional(Type.String({ maxLength: 1000 })),
        ...pageQuery,
      },
      closed,
    ),
    reply: pageOf(volumeSchema),
  }),
  getVolume: endpoint({
    ...reading,
    id: 'get_volume',
    method: 'GET',
    path: '/api/v1/volumes/{volume}',
    summary: 'One volume',
    params: volume,
    reply: volumeSchema,
  }),
  deleteVolume: endpoint({
    ...accepting,
    id: 'delete_volume',
    method: 'DELETE',
    path: '/api/v1/volumes/{volume}',
    summary: 'Moves a volume to the trash, or removes it for good',
    params: volume,
    query: Type.Object({ purge: Type.Optional(Type.Boolean({ description: 'Do not keep it in the trash.' })) }, closed),
  }),
  attachVolume: endpoint({
    ...accepting,
    id: 'attach_volume',
    method: 'POST',
    alsoMethod: 'PUT',
    path: '/api/v1/volumes/{volume}/attach',
    summary: 'Attaches a volume at a node or for a VM; with `transport` also exports it',
    params: volume,
    body: Type.Object(
      {
        node_id: Type.Optional(Type.String({ maxLength: 1000 })),
        vm_id: Type.Optional(Type.String({ maxLength: 1000, description: 'A virtual machine, in place of a node.' })),
        mode: Type.Optional(Type.Enum(['rw', 'ro'])),
        transport: Type.Optional(transportSchema),
        ...exportOptions,
      },
      closed,
    ),
  }),
  attachRootVolume: endpoint({
    ...accepting,
    id: 'attach_root_volume',
    method: 'POST',
    path: '/api/v1/volumes/{volume}/attach-root',
    summary: 'Attaches a volume as the disk that a VM starts from; the VM must be stopped',
    params: volume,
    body: Type.Object({ vm_id: Type.String({ maxLength: 1000 }) }, closed),
  }),
  detachVolume: endpoint({
    ...accepting,
    id: 'detach_volume',
    method: 'POST',
    alsoMethod: 'PUT',
    path: '/api/v1/volumes/{volume}/detach',
    summary: 'Detaches a volume; `force` fences its clients first',
    params: volume,
    body: Type.Object(
      {
        attachment_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
        force: Type.Optional(Type.Boolean()),
      },
      closed,
    ),
  }),
  reconcileVolume: endpoint({
    ...accepting,
    id: 'reconcile_volume',
    method: 'POST',
    path: '/api/v1/volumes/{volume}/reconcile',
    summary: 'Makes a volume in `error` true again, by its backend',
    params: volume,
    body: Type.Object({}, closed),
  }),
  resizeVolume: endpoint({
    ...accepting,
    id: 'resize_volume',
    method: 'POST',
    path: '/api/v1/volumes/{volume}/resize',
    summary: 'Grows a volume',
    params: volume,
    body: Type.Object(size, closed),
  }),
  setVolumeQos: endpoint({
    ...accepting,
    id: 'set_volume_qos',
    method: 'PUT',
    path: '/api/v1/volumes/{volume}/qos',
    summary: 'Sets the limits of a volume, all at once',
    params: volume,
    body: qosSchema,
  }),
  createSnapshot: endpoint({
    ...accepting,
    id: 'create_snapshot',
    method: 'POST',
    path: '/api/v1/volumes/{volume}/snapshots',
    summary: 'Takes a snapshot',
    params: volume,
    body: Type.Object(
      {
        name,
        name_scope: Type.Optional(
          Type.Enum([...snapshotNameScopes], {
            description: 'Refused when a snapshot of the volume (the default), or of any volume, has the name.',
          }),
        ),
      },
      closed,
    ),
  }),
  listSnapshots: endpoint({
    ...reading,
    id: 'list_snapshots',
    method: 'GET',
    path: '/api/v1/volumes/{volume}/snapshots',
    summary: 'Snapshots of a volume, oldest first',
    params: volume,
    reply: Type.Object({ items: Type.Array(snapshotSchema) }),
  }),
  listAllSnapshots: endpoint({
    ...reading,
    id: 'list_all_snapshots',
    method: 'GET',
    path: '/api/v1/snapshots',
    summary: 'Snapshots of all volumes that are not deleted, oldest first',
    query: Type.Object(
      {
        id: Type.Optional(Type.String({ maxLength: 300 })),
        name: Type.Optional(Type.String({ maxLength: 1000 })),
        volume_id: Type.Optional(Type.String({ maxLength: 300 })),
        ...pageQuery,
      },
      closed,
    ),
    reply: pageOf(snapshotSchema),
  }),
  deleteSnapshot: endpoint({
    ...accepting,
    id: 'delete_snapshot',
    method: 'DELETE',
    path: '/api/v1/volumes/{volume}/snapshots/{snapshot}',
    summary: 'Removes a snapshot, by id or name',
    params: snapshotParams,
  }),
  revertVolume: endpoint({
    ...accepting,
    id: 'revert_volume',
    method: 'POST',
    path: '/api/v1/volumes/{volume}/revert',
    summary: 'Makes a volume what it was at a snapshot',
    params: volume,
    body: Type.Object(
      { snapshot_id: Type.String({ minLength: 1, maxLength: 300, description: 'Id or name.' }) },
      closed,
    ),
  }),
  importVolume: endpoint({
    ...accepting,
    id: 'import_volume',
    method: 'POST',
    path: '/api/v1/volumes/import',
    summary: 'Takes an existing image in as a volume',
    body: Type.Object(
      {
        image: Type.String({ minLength: 1, maxLength: 300 }),
        name: Type.Optional(name),
        backend: Type.Optional(Type.String({ maxLength: 100 })),
        metadata: Type.Optional(metadataSchema),
      },
      closed,
    ),
  }),
  listTrash: endpoint({
    ...reading,
    id: 'list_trash',
    method: 'GET',
    path: '/api/v1/trash',
    summary: 'Deleted volumes that can be restored',
    query: Type.Object(pageQuery, closed),
    reply: pageOf(volumeSchema),
  }),
  restoreVolume: endpoint({
    ...accepting,
    id: 'restore_volume',
    method: 'POST',
    path: '/api/v1/trash/{volume}/restore',
    summary: 'Brings a volume back from the trash',
    params: volume,
    body: Type.Object({ name: Type.Optional(name) }, closed),
  }),
  purgeVolume: endpoint({
    ...accepting,
    id: 'purge_volume',
    method: 'DELETE',
    path: '/api/v1/trash/{volume}',
    summary: 'Removes a volume from the trash for good',
    params: volume,
  }),
  watchVolume: endpoint({
    ...reading,
    id: 'watch_volume',
    method: 'GET',
    path: '/api/v1/volumes/{volume}/events',
    summary: 'The state now, then each transition, until the volume settles (`follow=true`: without end)',
    params: volume,
    query: Type.Object(
      { follow: Type.Optional(Type.Boolean()), last_event_id: Type.Optional(Type.Integer({ minimum: 0 })) },
      closed,
    ),
    reply: volumeEventSchema,
    media: 'sse',
  }),
  listBackends: endpoint({
    ...reading,
    id: 'list_volume_backends',
    method: 'GET',
    path: '/api/v1/volume-backends',
    summary: 'Where volumes can be made, what each backend can do, and whether it works',
    reply: Type.Object({ items: Type.Array(backendSchema) }),
  }),
};
