import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ImageAttachment } from '../backend.ts';
import type { OwnedImage } from '../image-rules.ts';
import type { VolumeRow } from './row.ts';

/**
 * What Holdfast keeps with a volume, as CloudStack's resource tags: they come with every row of `listVolumes`, end with
 * the volume, and a key can be there once (`createTags` fails when it is), which makes setting one a compare-and-set.
 *
 * A value is never replaced. The fence is therefore part of its key: a higher one is added before lower ones are removed,
 * so that at no time none is there.
 */
export const KEY = {
  volumeId: 'holdfast-volume-id',
  name: 'holdfast-name',
  attachment: 'holdfast-attachment',
  trash: 'holdfast-trash',
} as const;

const FENCE = 'holdfast-fence-';
const PREFIX = 'holdfast-';
/** The column of CloudStack's database. */
const valueLengthMax = 255;

/** The attachment on record, and the fence under which it was written. */
export interface AttachmentRecord extends ImageAttachment {
  readonly fence: number;
}

export function fenceKey(fence: number): string {
  return `${FENCE}${fence}`;
}

/** The highest fence that the volume has seen; 0 for none. */
export function fenceOf(row: VolumeRow): number {
  return Math.max(0, ...fencesOf(row));
}

export function fencesOf(row: VolumeRow): number[] {
  return [...row.tags.keys()]
    .filter((key) => key.startsWith(FENCE))
    .map((key) => Number(key.slice(FENCE.length)))
    .filter((fence) => Number.isSafeInteger(fence));
}

/** Whether Holdfast has ever changed the volume. */
export function isTouched(row: VolumeRow): boolean {
  return [...row.tags.keys()].some((key) => key.startsWith(PREFIX));
}

/** The attachment on record, whether the volume is attached or not. A tag that cannot be read is no record. */
export function recordOf(row: VolumeRow): AttachmentRecord | null {
  const text = row.tags.get(KEY.attachment);
  if (text === undefined) return null;
  try {
    const { id, node, generation, mode, device, fence } = JSON.parse(text) as Record<string, unknown>;
    if (typeof id !== 'string' || typeof node !== 'string' || typeof generation !== 'number') return null;
    const isFence = typeof fence === 'number';
    return {
      attachmentId: id,
      nodeId: node,
      generation,
      mode: mode === 'ro' ? 'ro' : 'rw',
      ...(device === 'root' ? { device } : {}),
      fence: isFence ? fence : 0,
    };
  } catch {
    return null;
  }
}

/** @throws HoldfastError `invalid` when a value is too long to be kept */
export function attachmentTag(record: AttachmentRecord): string {
  const { attachmentId: id, nodeId: node, generation, mode, device, fence } = record;
  return checkedValue('attachment', JSON.stringify({ id, node, generation, mode, device, fence }));
}

export function ownerTags({ volumeId, name }: { readonly volumeId: string; readonly name: string }) {
  return { [KEY.volumeId]: checkedValue('volume id', volumeId), [KEY.name]: checkedValue('name', name) };
}

/** The record that is true: CloudStack has the volume attached to the very VM that the record names. */
export function attachmentOf(row: VolumeRow): ImageAttachment | null {
  const record = recordOf(row);
  if (record === null || row.virtualMachineId !== record.nodeId) return null;
  const { fence: _, ...attachment } = record;
  return attachment;
}

/** The VM that has the volume attached without a record of ours. */
export function strangerOf(row: VolumeRow): string | null {
  return row.virtualMachineId !== null && attachmentOf(row) === null ? row.virtualMachineId : null;
}

/** The row as the laws of the port judge it. */
export function ownedOf(image: string, row: VolumeRow): OwnedImage {
  return {
    image,
    volumeId: row.tags.get(KEY.volumeId) ?? null,
    sizeBytes: row.sizeBytes,
    fence: fenceOf(row),
    attachment: attachmentOf(row),
  };
}

function checkedValue(what: string, value: string): string {
  if (value !== '' && value.length <= valueLengthMax) return value;
  const message = `CloudStack keeps 1 to ${valueLengthMax} characters in a tag; the ${what} has ${value.length}.`;
  throw new HoldfastError('invalid', message);
}
