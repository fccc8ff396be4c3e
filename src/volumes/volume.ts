import { HoldfastError } from '../kernel/errors/errors.ts';
import type { BackendData } from './backend-data.ts';
import type { AttachMode, QosLimits } from './backends/backend.ts';
import type { VolumeState } from './fsm.ts';

/** A block device image and what is known of it. */
export interface Volume {
  readonly id: string;
  /** Unique among volumes that are not deleted. */
  readonly name: string;
  readonly state: VolumeState;
  /** Why it is in this state, where that is not obvious: the last error, in a sentence. */
  readonly reason: string | null;
  readonly sizeBytes: bigint;
  readonly backend: string;
  /** The image's name on the backend. */
  readonly image: string;
  /** Where the bytes are, for people. */
  readonly location: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly qos: QosLimits;
  readonly sourceSnapshotId: string | null;
  /** Attempts that failed of what is under way; 0 when none. */
  readonly attempt: number;
  readonly nextRetryAtMs: number | null;
  readonly lastOperationId: string | null;
  /** Grows with each attach. */
  readonly generation: number;
  /** Grows with each change; compare-and-set. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** When the image leaves the trash for good; `null` while the volume lives, or when it is gone. */
  readonly trashExpiresAtMs: number | null;
  /** Wishes that its backend alone understands, as they were when it was asked for. */
  readonly parameters: Readonly<Record<string, string>>;
  /** What its backend said of it last; `null` when it says nothing, or has not been asked yet. */
  readonly backendData: BackendData | null;
}

export type AttachmentState = 'attaching' | 'attached' | 'detaching' | 'detached' | 'failed';

/** One volume at one node. */
export interface Attachment {
  readonly id: string;
  readonly volumeId: string;
  readonly nodeId: string;
  /** The virtual machine that it is for, where it is for one. */
  readonly vmId: string | null;
  /** Addresses of clients that were seen to have the image open since the attach. */
  readonly clients: readonly string[];
  readonly mode: AttachMode;
  readonly generation: number;
  readonly state: AttachmentState;
  readonly attachOperationId: string;
  readonly detachOperationId: string | null;
  readonly createdAtMs: number;
  readonly detachedAtMs: number | null;
  /** `root`: the disk that the machine starts from. */
  readonly device: 'root' | null;
}

export type SnapshotState = 'creating' | 'available' | 'deleting' | 'deleted' | 'error';

/** Among which snapshots a new one's name must be new: those of its volume, or those of all. */
export const snapshotNameScopes = ['volume', 'all'] as const;
export type SnapshotNameScope = (typeof snapshotNameScopes)[number];

export interface Snapshot {
  readonly id: string;
  readonly volumeId: string;
  readonly name: string;
  readonly sizeBytes: bigint;
  readonly state: SnapshotState;
  readonly reason: string | null;
  readonly createdAtMs: number;
}

/** The resource under which a volume's operations take turns and its events are counted. */
export function volumeResource(volumeId: string): string {
  return `volume:${volumeId}`;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const nameLengthMax = 128;

/**
 * Checks a volume's or snapshot's name, so that no `/`, `@`, NUL or `..` ever reaches a backend. Ids are refused as
 * names, since both stand at the same place in a path. Throws `invalid`.
 */
export function checkName(name: string, field = 'name'): string {
  const details = { field, provided_value: name.slice(0, 200) };
  if (name.length === 0) throw new HoldfastError('invalid', 'The name must not be empty.', details);
  if (name.length > nameLengthMax) {
    const message = `The name must have at most ${nameLengthMax} characters.`;
    throw new HoldfastError('invalid', message, { ...details, maximum_length: nameLengthMax });
  }
  if (!namePattern.test(name) || name.includes('..')) {
    const message = 'A name consists of letters, digits, "-", "_" and single ".", and begins with a letter or a digit.';
    throw new HoldfastError('invalid', message, { ...details, pattern: namePattern.source });
  }
  if (/^(vol|snap)-[0-9a-f]{8}-/.test(name)) {
    throw new HoldfastError('invalid', 'A name must not look like an id.', details);
  }
  return name;
}

/** Node ids are more liberal, since other systems make them. */
export function checkNodeId(nodeId: string, field = 'node_id'): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$/.test(nodeId)) return nodeId;
  const message = 'A node id consists of up to 253 letters, digits, ".", "_", ":" and "-".';
  throw new HoldfastError('invalid', message, { field, provided_value: nodeId.slice(0, 300) });
}

/** Backends count in whole sectors at least; a smaller volume is a mistake in the unit. */
export const sizeBytesMin = 1_048_576n;
/** The largest size that a signed 64-bit offset can address. */
export const sizeBytesMax = 9_223_372_036_854_775_807n;
const mebibyte = 1_048_576n;

/**
 * The size of a request that names it in one of three ways: `size_bytes` (exact), `size_mb` (mebibytes), or `size` (a
 * number with a unit, parsed by `parse`). Throws `invalid` when none or several are there, or when it is out of bounds.
 */
export function requestedSize(
  request: { readonly size_bytes?: number | string; readonly size_mb?: number; readonly size?: string },
  parse: (text: string) => bigint,
): bigint {
  const given = (['size_bytes', 'size_mb', 'size'] as const).filter((field) => request[field] !== undefined);
  const [field] = given;
  if (field === undefined) {
    throw new HoldfastError('invalid', 'A size is missing: give size_bytes, size_mb, or size such as "10GiB".', {
      field: 'size_bytes',
    });
  }
  if (given.length > 1) {
    throw new HoldfastError('invalid', `Give the size once: ${given.join(' and ')} are both there.`, { field });
  }
  const provided = request[field]!;
  const bytes = toBytes(field, provided, parse);
  if (bytes < sizeBytesMin) {
    const message = `The size must be at least ${sizeBytesMin} bytes (1 MiB).`;
    throw new HoldfastError('invalid', message, {
      field,
      provided_value: provided,
      minimum_value: Number(sizeBytesMin),
    });
  }
  if (bytes > sizeBytesMax) {
    const message = `The size must be at most ${sizeBytesMax} bytes.`;
    throw new HoldfastError('invalid', message, {
      field,
      provided_value: provided,
      maximum_value: String(sizeBytesMax),
    });
  }
  return bytes;
}

function toBytes(field: string, provided: number | string, parse: (text: string) => bigint): bigint {
  if (field === 'size_bytes') return BigInt(provided);
  if (field === 'size_mb') return BigInt(provided) * mebibyte;
  try {
    return parse(String(provided));
  } catch (error) {
    const message = `The size is not understood: ${error instanceof Error ? error.message : String(error)}`;
    throw new HoldfastError('invalid', message, {
      field,
      provided_value: provided,
      minimum_value: Number(sizeBytesMin),
    });
  }
}
