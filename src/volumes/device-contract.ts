import Type from 'typebox';
import { endpoint } from '../kernel/http/contract.ts';
import { idSchema, nullable, timeSchema } from '../kernel/http/schemas.ts';
import { acceptedSchema } from '../kernel/operations/contract.ts';

const closed = { additionalProperties: false };

export const deviceSchema = Type.Object(
  {
    device_path: Type.String(),
    name: Type.String(),
    serial: nullable(Type.String()),
    // A plain number: a union with null cannot carry exact integers beyond 2^53, and no disk is that large.
    size_bytes: Type.Integer(),
    host: Type.String(),
    persistent_name: nullable(Type.String({ description: 'A path that leads to this volume and to nothing else.' })),
    observed_at: timeSchema,
  },
  { description: 'What an agent sees of the volume in the kernel of its host.' },
);

const placed = {
  volume_id: idSchema,
  name: Type.String(),
  attachment_id: idSchema,
  generation: Type.Integer(),
};
const reading = { tag: 'devices', role: 'viewer', method: 'GET', status: 200 } as const;
const text = Type.String({ minLength: 1, maxLength: 1000 });

export const deviceContract = {
  getVolumeDevice: endpoint({
    ...reading,
    id: 'get_volume_device',
    path: '/api/v1/volumes/{volume}/device',
    summary: 'The device that a volume is in the kernel of the machine where it is attached',
    params: Type.Object({ volume: Type.String({ minLength: 1, maxLength: 1000, description: 'Id or name.' }) }),
    reply: deviceSchema,
  }),
  getDeviceVolume: endpoint({
    ...reading,
    id: 'get_device_volume',
    path: '/api/v1/devices/{path}/volume',
    summary: 'The volume that a device is; the path is encoded, such as %2Fdev%2Fvdb, and may lack /dev/',
    params: Type.Object({ path: text }),
    query: Type.Object(
      { host: Type.Optional(Type.String({ maxLength: 300, description: 'By default the server itself.' })) },
      closed,
    ),
    reply: Type.Object({ ...placed, device: deviceSchema }),
  }),
  listVmVolumes: endpoint({
    ...reading,
    id: 'list_vm_volumes',
    path: '/api/v1/vms/{vm}/volumes',
    summary: 'The volumes of a virtual machine, with their devices where an agent sees them',
    params: Type.Object({ vm: text }),
    reply: Type.Object({ items: Type.Array(Type.Object({ ...placed, device: nullable(deviceSchema) })) }),
  }),
  forceSync: endpoint({
    tag: 'devices',
    role: 'admin',
    method: 'POST',
    id: 'force_sync',
    path: '/api/v1/admin/force-sync',
    summary:
      'Compares backends, kernels and exports with the store now; the operation tells each difference and what is done',
    body: Type.Object({}, closed),
    status: 202,
    reply: acceptedSchema,
    isIdempotent: true,
  }),
};
