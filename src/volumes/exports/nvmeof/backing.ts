import { hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { checkWholeSectors } from '../export-rules.ts';
import { asUuid } from './subsystem.ts';

/** The largest block that the kernel's target gives a file. */
const BLOCK_BYTES_MAX = 4096n;
const SECTOR_BYTES = 512n;

/** What stands at a path now: a file or a block device. */
export interface Backing {
  readonly isDevice: boolean;
  /**
   * Which file or device it is, as 16 bytes in the form of a UUID. The kernel holds what it serves, so that no other gets its
   * numbers meanwhile; written to the namespace, it says later whether the path still means what is served.
   */
  readonly identity: string;
  readonly sizeBytes: bigint;
  readonly blockBytes: bigint;
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
  const identity = identityOf(`file ${found.dev}:${found.ino}`);
  // The target addresses a file in the blocks of its file system (drivers/nvme/target/io-cmd-file.c).
  const blockBytes = found.blksize < BLOCK_BYTES_MAX ? found.blksize : BLOCK_BYTES_MAX;
  return { isDevice: false, identity, sizeBytes: found.size, blockBytes };
}

async function readDevice({ rdev }: BigIntStats): Promise<Backing | null> {
  // As in the macros of glibc: makedev(3).
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  const size = await readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8').catch(() => null);
  if (size === null) return null;
  const sizeBytes = BigInt(size.trim()) * SECTOR_BYTES;
  return { isDevice: true, identity: identityOf(`device ${rdev}`), sizeBytes, blockBytes: SECTOR_BYTES };
}

/**
 * @throws HoldfastError `not_found`, or `unsupported` when clients would not see exactly its bytes.
 */
export async function requireBacking(path: string): Promise<Backing> {
  const backing = await readBacking(path);
  if (backing === null) {
    throw new HoldfastError('not_found', `The image of the export is not there: ${path.slice(0, 300)}.`, { path });
  }
  checkWholeBlocks(backing.sizeBytes, backing);
  return backing;
}

/** @throws HoldfastError `unsupported` */
export function checkWholeBlocks(sizeBytes: bigint, { blockBytes }: Backing): void {
  checkWholeSectors(sizeBytes);
  if (sizeBytes % blockBytes === 0n) return;
  const sentence = `An image of ${sizeBytes} bytes cannot be exported: it is no whole number of blocks of ${blockBytes} bytes.`;
  throw new HoldfastError('unsupported', sentence, { size_bytes: String(sizeBytes) });
}

/**
 * Makes a file larger; a device has the size that it has.
 *
 * @throws HoldfastError `invalid` when it is larger already, `unsupported` for a device.
 */
export async function growBacking(path: string, sizeBytes: bigint): Promise<void> {
  const backing = await requireBacking(path);
  checkWholeBlocks(sizeBytes, backing);
  if (sizeBytes === backing.sizeBytes) return;
  if (sizeBytes < backing.sizeBytes || sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    const sentence = `The image cannot be made ${sizeBytes} bytes large: it has ${backing.sizeBytes}.`;
    throw new HoldfastError('invalid', sentence, { field: 'size_bytes' });
  }
  if (backing.isDevice) {
    const sentence = `The device has ${backing.sizeBytes} bytes; it must be grown before its export.`;
    throw new HoldfastError('unsupported', sentence, { size_bytes: String(sizeBytes) });
  }
  await using file = await open(path, 'r+');
  await file.truncate(Number(sizeBytes));
  await file.sync();
}

function identityOf(text: string): string {
  return asUuid(hash('sha256', text));
}
