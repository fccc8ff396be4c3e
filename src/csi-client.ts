import { setTimeout as delay } from 'node:timers/promises';
import { ApiError, Client, type ClientOptions } from './client.ts';
import { contract } from './contract.ts';
import type { Call } from './csi/call.ts';
import { hostNqnOf } from './csi/nvme-host.ts';
import type {
  AttachMode,
  Attached,
  Connection,
  Holdfast,
  NewVolume,
  Page,
  PageRequest,
  SnapshotFilter,
  SnapshotNameScope,
  SnapshotRecord,
  VolumeRecord,
} from './csi/holdfast.ts';
import { type ErrorKind, HoldfastError } from './kernel/errors/errors.ts';
import type { BodyOf, ReplyOf } from './kernel/http/contract.ts';
import type { ErrorBody } from './kernel/http/errors.ts';
import { volumeSerial } from './volumes/devices/volume-serial.ts';

type VolumeReply = ReplyOf<typeof contract.getVolume>;
type SnapshotReply = ReplyOf<typeof contract.listAllSnapshots>['items'][number];
type OperationReply = ReplyOf<typeof contract.getOperation>;

/** How the exports of attached volumes are made; `none` for volumes that nodes reach without one. */
export const csiTransports = ['nbd', 'nvmeof', 'none'] as const;
export type CsiTransport = (typeof csiTransports)[number];

/** One request is answered at once by Holdfast; only what it starts takes time. */
const requestTimeoutMs = 30_000;
const reconnectMs = 200;

const kinds: Readonly<Record<number, ErrorKind>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  422: 'unsupported',
  429: 'overloaded',
  502: 'backend',
  503: 'unavailable',
};
const kindsByCode: Readonly<Record<ErrorBody['code'], ErrorKind>> = {
  INVALID_REQUEST: 'invalid',
  UNAUTHORIZED: 'unauthorized',
  FORBIDDEN: 'forbidden',
  NOT_FOUND: 'not_found',
  CONFLICT: 'conflict',
  BACKEND_ERROR: 'backend',
  CLOUDSTACK_ERROR: 'backend',
  SERVICE_UNAVAILABLE: 'unavailable',
  INTERNAL_ERROR: 'internal',
};

/** What the CSI driver asks of Holdfast, over its API. */
export class CsiClient implements Holdfast {
  readonly #options: ClientOptions;
  readonly #transport: CsiTransport;

  constructor(options: ClientOptions, transport: CsiTransport) {
    this.#options = options;
    this.#transport = transport;
  }

  async check(call: Call): Promise<void> {
    await this.#ask(call, (client) => client.call(contract.listVolumes, { query: { limit: 1 } }));
  }

  async findVolume(id: string, call: Call): Promise<VolumeRecord | null> {
    // What is no id would be looked up as a name.
    return /^vol-[0-9a-f-]{36}$/.test(id) ? this.findVolumeByName(id, call) : null;
  }

  async findVolumeByName(reference: string, call: Call): Promise<VolumeRecord | null> {
    try {
      const params = { volume: reference };
      const volume = await this.#ask(call, (client) => client.call(contract.getVolume, { params }));
      return volume.state === 'deleted' ? null : volumeOf(volume);
    } catch (error) {
      if (error instanceof HoldfastError && error.kind === 'not_found') return null;
      throw error;
    }
  }

  async listVolumes(page: PageRequest, call: Call): Promise<Page<VolumeRecord>> {
    const query = queryOf(page);
    const reply = await this.#ask(call, (client) => client.call(contract.listVolumes, { query }));
    return { items: reply.items.map(volumeOf), nextCursor: reply.next_cursor };
  }

  async createVolume({ name, sizeBytes, backend, metadata, snapshotId, qos }: NewVolume, call: Call): Promise<void> {
    const body: BodyOf<typeof contract.createVolume> = {
      name,
      size_bytes: String(sizeBytes),
      metadata: { ...metadata },
      qos: { ...qos },
      ...(backend === null ? {} : { backend }),
      ...(snapshotId === null ? {} : { snapshot_id: snapshotId }),
    };
    // No Idempotency-Key: the name is one, and unlike a key it is free again when the volume is deleted.
    await this.#change(call, (client) => client.call(contract.createVolume, { body }));
  }

  async deleteVolume(volume: string, call: Call): Promise<void> {
    await this.#change(call, (client) => client.call(contract.deleteVolume, { params: { volume } }));
  }

  async resizeVolume(volume: string, sizeBytes: bigint, call: Call): Promise<void> {
    const body = { size_bytes: String(sizeBytes) };
    await this.#change(call, (client) => client.call(contract.resizeVolume, { params: { volume }, body }));
  }

  async setQos(volume: string, qos: Readonly<Record<string, number>>, call: Call): Promise<void> {
    const body = { ...qos };
    await this.#change(call, (client) => client.call(contract.setVolumeQos, { params: { volume }, body }));
  }

  async attach(volume: string, nodeId: string, mode: AttachMode, call: Call): Promise<Attached> {
    const body = { node_id: nodeId, mode, ...exportFor(this.#transport, nodeId) };
    const { output } = await this.#change(call, (client) =>
      client.call(contract.attachVolume, { params: { volume }, body }),
    );
    const { attachment_id: attachmentId } = output as { readonly attachment_id: string };
    const connection = this.#transport === 'none' ? null : await this.#connection(volume, attachmentId, call);
    return { attachmentId, serial: volumeSerial(volume), connection };
  }

  /**
   * Where the export is now: one that was made again may listen elsewhere than its attach said, which is answered by a
   * repeated one.
   */
  async #connection(volume: string, attachmentId: string, call: Call): Promise<Connection> {
    const reply = await this.#ask(call, (client) => client.call(contract.listExports, { params: { volume } }));
    const found = reply.items.find((item) => item.attachment_id === attachmentId);
    if (found?.state === 'active' && found.connection !== null) {
      const { uri, host, port, name } = found.connection;
      return { transport: found.transport, uri, host, port, name };
    }
    const how = found === undefined ? 'gone' : `${found.state}${found.reason === null ? '' : `: ${found.reason}`}`;
    throw new HoldfastError('unavailable', `The export of volume ${volume} is ${how}.`, { volume_id: volume });
  }

  async detach(volume: string, attachmentId: string, call: Call): Promise<void> {
    const body = { attachment_id: attachmentId };
    await this.#change(call, (client) => client.call(contract.detachVolume, { params: { volume }, body }));
  }

  async listSnapshots(filter: SnapshotFilter, page: PageRequest, call: Call): Promise<Page<SnapshotRecord>> {
    const { id, name, volumeId } = filter;
    const query = {
      ...queryOf(page),
      ...(id === undefined ? {} : { id }),
      ...(name === undefined ? {} : { name }),
      ...(volumeId === undefined ? {} : { volume_id: volumeId }),
    };
    const reply = await this.#ask(call, (client) => client.call(contract.listAllSnapshots, { query }));
    return { items: reply.items.map(snapshotOf), nextCursor: reply.next_cursor };
  }

  async createSnapshot(volume: string, name: string, scope: SnapshotNameScope, call: Call): Promise<void> {
    const body = { name, name_scope: scope };
    await this.#change(call, (client) => client.call(contract.createSnapshot, { params: { volume }, body }));
  }

  async deleteSnapshot(volume: string, snapshot: string, call: Call): Promise<void> {
    await this.#change(call, (client) => client.call(contract.deleteSnapshot, { params: { volume, snapshot } }));
  }

  async freeBytes(name: string | null, call: Call): Promise<bigint | null> {
    const { items } = await this.#ask(call, (client) => client.call(contract.listBackends));
    const backend = items.find((item) => (name === null ? item.is_default : item.name === name));
    if (backend === undefined) throw new HoldfastError('invalid', `There is no backend ${name ?? ''}.`);
    if (backend.status === 'unhealthy') throw new HoldfastError('unavailable', backend.detail);
    return backend.free_bytes === null ? null : BigInt(backend.free_bytes);
  }

  async settle(operationId: string, call: Call): Promise<void> {
    await this.#settled(operationId, call);
  }

  async #change(call: Call, begin: (client: Client) => Promise<{ operation_id: string }>): Promise<OperationReply> {
    const { operation_id: id } = await this.#ask(call, begin);
    return this.#settled(id, call);
  }

  /** Follows an operation to its end, also over a restart of the server, until the call's time ends. */
  async #settled(id: string, call: Call): Promise<OperationReply> {
    const client = new Client(this.#options);
    for (;;) {
      call.signal.throwIfAborted();
      const operation = await this.#followed(client, id, call).catch((error: unknown) => {
        if (error instanceof ApiError && error.status < 500) throw errorOf(error);
        return null;
      });
      if (operation?.status === 'completed') return operation;
      if (operation !== null) throw failureOf(operation);
      await delay(reconnectMs, undefined, { signal: call.signal });
    }
  }

  async #followed(client: Client, id: string, { signal }: Call): Promise<OperationReply | null> {
    for await (const { data } of client.stream(contract.watchOperation, { params: { id } }, { signal })) {
      const operation = data as OperationReply;
      if (operation.finished_at !== null) return operation;
    }
    return null;
  }

  async #ask<T>(call: Call, request: (client: Client) => Promise<T>): Promise<T> {
    call.signal.throwIfAborted();
    const timeoutMs = Math.min(call.remainingMs(), requestTimeoutMs);
    try {
      return await request(new Client({ ...this.#options, timeoutMs }));
    } catch (error) {
      throw error instanceof ApiError ? errorOf(error) : error;
    }
  }
}

function errorOf({ status, body }: ApiError): HoldfastError {
  const kind = body.code === 'CLOUDSTACK_ERROR' ? 'backend' : (kinds[status] ?? 'internal');
  return new HoldfastError(kind, body.error, body.details ?? {});
}

function failureOf({ type, status, error }: OperationReply): HoldfastError {
  if (error === null) return new HoldfastError('conflict', `The operation ${type} was ${status}.`);
  return new HoldfastError(kindsByCode[error.code], error.error, error.details ?? {});
}

function queryOf({ cursor, limit }: PageRequest): { limit: number; cursor?: string } {
  return { limit, ...(cursor === null ? {} : { cursor }) };
}

function volumeOf(reply: VolumeReply): VolumeRecord {
  const { id, name, state, reason, backend, metadata, qos } = reply;
  return {
    id,
    name,
    state,
    reason,
    backend,
    metadata,
    qos,
    sizeBytes: BigInt(reply.size_bytes),
    attachments: reply.attachments.map((held) => ({
      id: held.id,
      nodeId: held.node_id,
      mode: held.mode,
      state: held.state,
    })),
    lastOperation: reply.last_operation,
  };
}

function snapshotOf(reply: SnapshotReply): SnapshotRecord {
  const { id, volume_id: volumeId, name, state, reason } = reply;
  const createdAtMs = Date.parse(reply.created_at);
  return { id, volumeId, name, state, reason, createdAtMs, sizeBytes: BigInt(reply.size_bytes) };
}

/** The export that an attach at a node asks for; one over NVMe is for that node alone. */
function exportFor(transport: CsiTransport, nodeId: string) {
  if (transport === 'none') return {};
  return { transport, ...(transport === 'nvmeof' ? { allowed_hosts: [hostNqnOf(nodeId)] } : {}) };
}
