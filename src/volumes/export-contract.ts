import Type from 'typebox';
import { endpoint } from '../kernel/http/contract.ts';
import { idSchema, nullable, timeSchema } from '../kernel/http/schemas.ts';
import { acceptedSchema } from '../kernel/operations/contract.ts';
import { exportStates } from './export.ts';

const closed = { additionalProperties: false };

/** What a request may say of the export that is to be made; a part of attaching as well. */
export const transportSchema = Type.Enum(['nbd', 'nvmeof'], {
  description: 'Makes an export over this transport; the operation tells how to connect.',
});
export const exportOptions = {
  tls: Type.Optional(Type.Boolean({ description: 'Nobody connects without the key that the credentials tell (NBD).' })),
  chap: Type.Optional(
    Type.Boolean({
      description: 'Hosts prove themselves with the key that the credentials tell (NVMe, DH-HMAC-CHAP).',
    }),
  ),
  allowed_hosts: Type.Optional(
    Type.Array(Type.String({ maxLength: 300 }), {
      maxItems: 64,
      description: 'NQNs of the machines that may connect (NVMe).',
    }),
  ),
  export_host: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 253,
      description: 'The host that serves it; by default the server itself.',
    }),
  ),
};

const connectionSchema = Type.Object({
  uri: Type.String(),
  host: Type.String(),
  port: Type.Integer(),
  name: Type.String({ description: 'The name at that address: of an NBD export, or an NQN.' }),
  commands: Type.Array(Type.Object({ purpose: Type.String(), command: Type.String() })),
});

export const exportSchema = Type.Object({
  id: idSchema,
  volume_id: idSchema,
  attachment_id: idSchema,
  generation: Type.Integer(),
  host: Type.String({ description: 'The host that serves it.' }),
  transport: transportSchema,
  mode: Type.Enum(['rw', 'ro']),
  state: Type.Enum([...exportStates]),
  reason: nullable(Type.String()),
  is_tls: Type.Boolean(),
  is_chap: Type.Boolean({ description: 'Whether hosts prove themselves by DH-HMAC-CHAP.' }),
  allowed_hosts: Type.Array(Type.String()),
  connection: nullable(connectionSchema),
  created_at: timeSchema,
});

const tlsCredentials = Type.Object({
  identity: Type.String(),
  key_hex: Type.String(),
  psk_file: Type.String({ description: 'The line of the file that `tls-psk-file` of an NBD URI names.' }),
});
const chapCredentials = Type.Object({
  dhchap_secret: Type.String({ description: 'By which the host proves itself: `--dhchap-secret` of nvme-cli.' }),
  dhchap_ctrl_secret: nullable(
    Type.String({ description: 'By which the target proves itself, where the host asks: `--dhchap-ctrl-secret`.' }),
  ),
});

const tag = 'exports';
const volume = Type.Object({ volume: Type.String({ minLength: 1, maxLength: 1000, description: 'Id or name.' }) });
const oneExport = Type.Object({ ...volume.properties, export: idSchema });
const accepting = { tag, role: 'operator', status: 202, reply: acceptedSchema, isIdempotent: true } as const;

export const exportContract = {
  createExport: endpoint({
    ...accepting,
    id: 'create_export',
    method: 'POST',
    path: '/api/v1/volumes/{volume}/exports',
    summary: 'Exports an attached volume over a network; the export ends with the attachment',
    params: volume,
    body: Type.Object({ transport: transportSchema, ...exportOptions }, closed),
  }),
  listExports: endpoint({
    tag,
    role: 'viewer',
    id: 'list_exports',
    method: 'GET',
    path: '/api/v1/volumes/{volume}/exports',
    summary: 'How a volume is reached over a network',
    params: volume,
    status: 200,
    reply: Type.Object({ items: Type.Array(exportSchema) }),
  }),
  deleteExport: endpoint({
    ...accepting,
    id: 'delete_export',
    method: 'DELETE',
    path: '/api/v1/volumes/{volume}/exports/{export}',
    summary: 'Removes an export; the volume stays attached',
    params: oneExport,
    query: Type.Object({ force: Type.Optional(Type.Boolean({ description: 'Cut connected clients.' })) }, closed),
  }),
  getExportCredentials: endpoint({
    tag,
    role: 'operator',
    id: 'get_export_credentials',
    method: 'GET',
    path: '/api/v1/volumes/{volume}/exports/{export}/credentials',
    summary: 'The key that clients of an export need: for TLS, or for DH-HMAC-CHAP',
    params: oneExport,
    status: 200,
    reply: Type.Union([tlsCredentials, chapCredentials]),
  }),
};
