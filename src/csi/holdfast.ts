import type { Call } from './call.ts';

/** A volume as the driver needs to know it. */
export interface VolumeRecord {
  readonly id: string;
  readonly name: string;
  /** One of Holdfast's states, such as `available`. */
  readonly state: string;
  /** Why it is in this state, where that is not obvious. */
  readonly reason: string | null;
  readonly sizeBytes: bigint;
  readonly backend: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Limits a second, by Holdfast's names. */
  readonly qos: Readonly<Record<string, number>>;
  readonly attachments: readonly AttachmentRecord[];
  readonly lastOperation: { readonly id: string; readonly type: string; readonly status: string } | null;
}

export type AttachMode = 'rw' | 'ro';

export interface AttachmentRecord {
  readonly id: string;
  readonly nodeId: string;
  readonly mode: AttachMode;
  readonly state: string;
}

/** Among which snapshots a new one's name must be new. */
export type SnapshotNameScope = 'volume' | 'all';

export interface SnapshotRecord {
  readonly id: string;
  readonly volumeId: string;
  readonly name: string;
  readonly sizeBytes: bigint;
  readonly state: string;
  readonly reason: string | null;
  readonly createdAtMs: number;
}

/** How a node reaches a volume that is attached at it. */
export interface Connection {
  readonly transport: string;
  readonly uri: string;
  readonly host: string;
  readonly port: number;
  /** The export's name: of NBD, or an NQN. */
  readonly name: string;
}

export interface Attached {
  readonly attachmentId: string;
  /** By which a hypervisor's disk of this volume is recognised. */
  readonly serial: string;
  /** `null` when the node reaches the volume without an export. */
  readonly connection: Connection | null;
}

export interface NewVolume {
  readonly name: string;
  readonly sizeBytes: bigint;
  /** `null`: the snapshot's, else the server's default. */
  readonly backend: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly snapshotId: string | null;
  /** Limits a second, by Holdfast's names. */
  readonly qos: Readonly<Record<string, number>>;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** `null` on the last page. */
  readonly nextCursor: string | null;
}

export interface PageRequest {
  readonly cursor: string | null;
  readonly limit: number;
}

export interface SnapshotFilter {
  readonly id?: string;
  readonly name?: string;
  readonly volumeId?: string;
}

/**
 * What the driver asks of Holdfast. Verbs that change something resolve when the change has ended, and can be repeated:
 * a change goes on in Holdfast when its caller is gone, and asking again finds it. All throw HoldfastError: `conflict`
 * when the state does not allow it, `unavailable` when the server or the outcome is out of reach.
 */
export interface Holdfast {
  /** Throws when the server cannot be reached or does not accept the token. */
  check(call: Call): Promise<void>;
  /** By id; deleted ones are `null`. */
  findVolume(id: string, call: Call): Promise<VolumeRecord | null>;
  findVolumeByName(name: string, call: Call): Promise<VolumeRecord | null>;
  listVolumes(page: PageRequest, call: Call): Promise<Page<VolumeRecord>>;
  createVolume(volume: NewVolume, call: Call): Promise<void>;
  deleteVolume(id: string, call: Call): Promise<void>;
  resizeVolume(id: string, sizeBytes: bigint, call: Call): Promise<void>;
  /** Sets all limits at once. */
  setQos(id: string, qos: Readonly<Record<string, number>>, call: Call): Promise<void>;
  /** The same wish again is answered by the attachment that there is. */
  attach(id: string, nodeId: string, mode: AttachMode, call: Call): Promise<Attached>;
  /** An attachment that is over is success. */
  detach(id: string, attachmentId: string, call: Call): Promise<void>;
  listSnapshots(filter: SnapshotFilter, page: PageRequest, call: Call): Promise<Page<SnapshotRecord>>;
  /** `conflict` when a snapshot of the volume has the name, or with the scope `all`, one of any volume. */
  createSnapshot(volumeId: string, name: string, scope: SnapshotNameScope, call: Call): Promise<void>;
  deleteSnapshot(volumeId: string, snapshotId: string, call: Call): Promise<void>;
  /** Free bytes of a backend, or of the default one; `null` when it cannot tell. `invalid` for an unknown name. */
  freeBytes(backend: string | null, call: Call): Promise<bigint | null>;
  /** Waits for an operation that somebody else began. Throws its error when it did not complete. */
  settle(operationId: string, call: Call): Promise<void>;
}
