import { open, stat } from 'node:fs/promises';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Filesystem } from '../capabilities.ts';
import type { NodeSystem } from './system.ts';

const probeTimeoutMs = 30_000;
const makeTimeoutMs = 600_000;
const growTimeoutMs = 300_000;
const edgeBytes = 1_048_576;
/** blkid's answers (blkid(8), "EXIT STATUS"). */
const foundNothing = 2;
const chunkBytes = 262_144;

/** What is on a device: a filesystem by its name, `null` for nothing at all. */
export async function filesystemOn(system: NodeSystem, device: string): Promise<string | null> {
  const { code, stdout, stderr } = await system.run('blkid', ['-p', '-o', 'export', device], probeTimeoutMs);
  // It answers the same when it cannot read, so what it finds empty is looked at before anything is made of it.
  if (code === foundNothing) return null;
  if (code !== 0)
    throw new HoldfastError('backend', `blkid cannot tell what is on ${device}: ${stderr.trim().slice(-300)}`);
  const facts = new Map(stdout.split('\n').map((line) => [line.split('=')[0]!, line.slice(line.indexOf('=') + 1)]));
  return facts.get('TYPE') ?? `partitions (${facts.get('PTTYPE') ?? 'of unknown kind'})`;
}

/** Whether the first and the last MiB hold only zeros: what no program has written to. Throws when they cannot be read. */
export async function isBlank(system: NodeSystem, device: string): Promise<boolean> {
  const sizeBytes = Number(await deviceBytes(system, device));
  const file = await open(device, 'r');
  try {
    const ends = [0, Math.max(0, sizeBytes - edgeBytes)];
    for (const start of ends) {
      for (let at = start; at < Math.min(start + edgeBytes, sizeBytes); at += chunkBytes) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, at);
        if (bytesRead === 0) throw new HoldfastError('backend', `${device} cannot be read.`);
        if (buffer.subarray(0, bytesRead).some((byte) => byte !== 0)) return false;
      }
    }
    return sizeBytes > 0;
  } finally {
    await file.close();
  }
}

/** A device's size in bytes. Its own answer, since a stat of a device has none. */
export async function deviceBytes(system: NodeSystem, device: string): Promise<bigint> {
  const { code, stdout, stderr } = await system.run('blockdev', ['--getsize64', device], probeTimeoutMs);
  if (code === 0) return BigInt(stdout.trim());
  throw new HoldfastError('backend', `The size of ${device} cannot be read: ${stderr.trim().slice(-300)}`);
}

export async function makeFilesystem(system: NodeSystem, device: string, filesystem: Filesystem): Promise<void> {
  // The bytes are known to be zeros, or the rest of an earlier attempt: nothing is asked, and nothing discarded.
  const args = filesystem === 'xfs' ? ['-f', '-K', device] : ['-F', '-q', '-m0', '-E', 'nodiscard', device];
  const { code, stderr } = await system.run(`mkfs.${filesystem}`, args, makeTimeoutMs);
  if (code === 0) return;
  throw new HoldfastError('backend', `No ${filesystem} could be made on ${device}: ${stderr.trim().slice(-500)}`);
}

/** Makes a mounted filesystem as large as its device. One that is as large already is left as it is. */
export async function growFilesystem(
  system: NodeSystem,
  filesystem: string,
  device: string,
  path: string,
): Promise<void> {
  const isXfs = filesystem === 'xfs';
  const [program, subject] = isXfs ? ['xfs_growfs', path] : ['resize2fs', device];
  const { code, stderr } = await system.run(program, [subject], growTimeoutMs);
  if (code === 0) return;
  throw new HoldfastError('backend', `The filesystem of ${device} could not grow: ${stderr.trim().slice(-500)}`);
}

/** `major:minor` of a device, as mountinfo writes it (makedev(3)). */
export async function deviceNumber(device: string): Promise<string> {
  const { rdev } = await stat(device, { bigint: true });
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
