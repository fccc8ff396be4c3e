import { ECANCELED, ENOENT, check } from './errno.ts';
import type { CephSession } from './session.ts';
import type { Pointer } from './signatures.ts';

/**
 * What Ceph keeps of an image of format 2 in RADOS itself, for changes that librbd cannot make in one step. Source: the
 * Ceph documents on the layout of RBD images and the object class `cls_rbd`, whose methods and encodings are the protocol
 * between clients of different ages and so do not change.
 */
const ID_OBJECT_PREFIX = 'rbd_id.';
const HEADER_OBJECT_PREFIX = 'rbd_header.';
/** The class keeps image metadata in the header's omap, under these keys. */
const METADATA_KEY_PREFIX = 'metadata_';
const ID_CAPACITY_BYTES = 256;
const LENGTH_BYTES = 4;

/** What must stand in the header, under this metadata key, for a change to be made; `null`: nothing. */
export interface Expected {
  readonly key: string;
  readonly value: string | null;
}

/** The internal id of the image that has this name now; `null` when none has. */
export async function idOfName({ lib, io, pool }: CephSession, name: string): Promise<string | null> {
  const buffer = Buffer.alloc(ID_CAPACITY_BYTES);
  const code = await lib.rados.rados_read(io, `${ID_OBJECT_PREFIX}${name}`, buffer, BigInt(buffer.length), 0n);
  if (code === -ENOENT) return null;
  const lengthBytes = check(code, `reading the id of ${pool}/${name}`);
  // A create that was cut off may leave the object empty.
  if (lengthBytes < LENGTH_BYTES) return null;
  return buffer.toString('utf8', LENGTH_BYTES, Math.min(lengthBytes, LENGTH_BYTES + buffer.readUInt32LE()));
}

/**
 * Sets image metadata, all of it or nothing, if what stands there is what was read before: one step of the OSD, so that
 * of two changes made from the same state only one is kept. It asks for no lock and tells no client of the image; keys
 * that clients act on (`conf_`) are set so only while nobody can have the image open.
 *
 * @returns `changed` when something else stands there by now, `absent` when there is no such image
 */
export async function setMetadataIf(
  { lib, pool }: CephSession,
  io: Pointer,
  imageId: string,
  expected: Expected,
  values: ReadonlyMap<string, string>,
): Promise<'set' | 'changed' | 'absent'> {
  const condition = {
    key: `${METADATA_KEY_PREFIX}${expected.key}`,
    // RADOS compares a key that is absent as if it were empty.
    value: expected.value ?? '',
  };
  const header = `${HEADER_OBJECT_PREFIX}${imageId}`;
  const code = await lib.executeIf(io, header, condition, 'rbd', 'metadata_set', encodeMap(values));
  if (code === -ECANCELED) return 'changed';
  if (code === -ENOENT) return 'absent';
  check(code, `setting ${[...values.keys()].join(', ')} of the image with id ${imageId} in ${pool}`);
  return 'set';
}

/** A map of byte strings as Ceph encodes it: a count, then key and value each after its length, little-endian. */
export function encodeMap(values: ReadonlyMap<string, string>): Buffer {
  const parts = [uint32(values.size)];
  for (const text of [...values].flat()) {
    const bytes = Buffer.from(text);
    parts.push(uint32(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeUInt32LE(value);
  return bytes;
}
