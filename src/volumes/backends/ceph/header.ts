import { ECANCELED, ENOENT, check, checkExcept } from './errno.ts';
import type { ClassAnswer } from './read-operation.ts';
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
/** `CEPH_NOSNAP`: the image itself and none of its snapshots. */
const NO_SNAPSHOT = 0xffff_ffff_ffff_fffen;
/** The size comes after the order of the image's objects, which is one byte. */
const SIZE_AT_BYTE = 1;
/** The pool of a parent comes first, after the version of its encoding and the length. */
const PARENT_POOL_AT_BYTE = 6;
const NO_POOL = -1n;

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
  return decodeText(buffer.subarray(0, lengthBytes));
}

/** What the header of an image says without anybody opening it. */
interface Header {
  readonly sizeBytes: bigint;
  /** What the image's metadata hold under the key that was asked for. */
  readonly metadata: string | null;
  /** Stands for the snapshot of which this is a clone: equal for two clones of the same one, and good for nothing else. */
  readonly parent: string | null;
}

/** Reads a header in one round trip; `null` when there is no such image. */
export async function readHeader({ lib, io, pool }: CephSession, imageId: string, key: string): Promise<Header | null> {
  const action = `reading the header of the image with id ${imageId} in ${pool}`;
  const snapshot = Buffer.alloc(8);
  snapshot.writeBigUInt64LE(NO_SNAPSHOT);
  const { code, answers } = await lib.readByClass(io, `${HEADER_OBJECT_PREFIX}${imageId}`, [
    { objectClass: 'rbd', method: 'get_size', input: snapshot },
    { objectClass: 'rbd', method: 'metadata_get', input: encodeText(key) },
    { objectClass: 'rbd', method: 'parent_get', input: Buffer.alloc(0) },
  ]);
  if (code === -ENOENT) return null;
  check(code, action);
  const [size, metadata, parent] = answers as [ClassAnswer, ClassAnswer, ClassAnswer];
  check(size.code, action);
  checkExcept(metadata.code, [ENOENT], action);
  check(parent.code, action);
  return {
    sizeBytes: size.output.readBigUInt64LE(SIZE_AT_BYTE),
    metadata: metadata.code === -ENOENT ? null : decodeText(metadata.output),
    parent: parent.output.readBigInt64LE(PARENT_POOL_AT_BYTE) === NO_POOL ? null : parent.output.toString('hex'),
  };
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
  return Buffer.concat([uint32(values.size), ...[...values].flat().map(encodeText)]);
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function decodeText(encoded: Buffer): string {
  return encoded.toString('utf8', LENGTH_BYTES, Math.min(encoded.length, LENGTH_BYTES + encoded.readUInt32LE()));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeUInt32LE(value);
  return bytes;
}
