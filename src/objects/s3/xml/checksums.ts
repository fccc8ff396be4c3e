import type { ObjectChecksum } from '../../object.ts';
import type { XmlElement } from '../command.ts';
import { leaf } from './writer.ts';

/** Checksums as elements, `ChecksumCRC32` and its kin, and of which type they are. */
export function checksumLeaves(checksums: readonly ObjectChecksum[]): XmlElement[] {
  const leaves = checksums.map(({ algorithm, value }) => leaf(`Checksum${algorithm}`, value));
  const type = checksums[0]?.type;
  return type === undefined ? leaves : [...leaves, leaf('ChecksumType', type)];
}
