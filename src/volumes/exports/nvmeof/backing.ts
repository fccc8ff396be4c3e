import { hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { checkWholeSectors } from '../export-rules.ts';
import { asUuid } from './subsystem.ts';

const SECTOR_BYTES = 512n;

/** What stands at a path now: a file or a block device. */
export interface Backing {
  readonly isDevice: boolean;
  /** As in `Origin`. */
  readonly identity: string;
  readonly sizeBytes: bigint;
}

/** `null` when nothing is there that can be served. */
export async function readBacking(path: string): Promise<Backing | null> {
  const found = await stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw new HoldfastError('backend', `The image of the export cannot be looked at: ${error.code}.`, {}, error);
  });
  if (found === null) return null;
  if (found.isBlockDevice()) return readDevice(found);
  if (!found.isFile()) return null;
  return { isDevice: false, identity: identityOf(`file ${found.dev}:${found.ino}`), sizeBytes: found.size };
}

async function readDevice({ rdev }: BigIntStats): Promise<Backing | null> {
  // As in the macros of glibc: makedev(3).
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  const size = await readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8').catch(() => null);
  if (size === null) return null;
  return { isDevice: true, identity: identityOf(`device ${rdev}`), sizeBytes: BigInt(size.trim()) * SECTOR_BYTES };
}

/**
 * @throws HoldfastError `not_found`, or `unsupported` when clients would not see exactly its bytes.
 */
export async function requireBacking(path: string): Promise<Backing> {
  const backing = await readBacking(path);
  if (backing === null) {
    throw new HoldfastError('not_found', `The image of the export is not there: ${path.slice(0, 300)}.`, { path });
  }
  checkWholeSectors(backing.sizeBytes);
  return backing;
}

/**
 * Makes a file larger; a device has the size that it has.
 *
 * @throws HoldfastError `invalid` when it is larger already, `unsupported` for a device.
 */
export async function growBacking(path: string, sizeBytes: bigint): Promise<void> {
  const backing = await requireBacking(path);
  checkGrowth(backing.sizeBytes, sizeBytes);
  if (sizeBytes === backing.sizeBytes) return;
  if (backing.isDevice) {
    const sentence = `The device has ${backing.sizeBytes} bytes; it must be grown before its export.`;
    throw new HoldfastError('unsupported', sentence, { size_bytes: String(sizeBytes) });
  }
  await using file = await open(path, 'r+');
  await file.truncate(Number(sizeBytes));
  await file.sync();
}

/** @throws HoldfastError `invalid` for less than there is, `unsupported` for no whole number of sectors. */
export function checkGrowth(fromBytes: bigint, toBytes: bigint): void {
  checkWholeSectors(toBytes);
  if (toBytes >= fromBytes && toBytes <= BigInt(Number.MAX_SAFE_INTEGER)) return;
  const sentence = `The image cannot be made ${toBytes} bytes large: it has ${fromBytes}.`;
  throw new HoldfastError('invalid', sentence, { field: 'size_bytes' });
}

/** 16 bytes of the hash of a text that names one thing of this machine or of a cluster. */
export function identityOf(text: string): string {
  return asUuid(hash('sha256', text));
}
