import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * The name of what a process makes here, which tells others whether that process still lives:
 * `<where>.<pid>.<start>.<chance>`, where a process of the same number and start, at the same place, is the same one.
 * The place is a boot of the system and a namespace of process ids, since numbers mean nothing in another container.
 */
export function newOwnerTag(): string {
  return `${placeTag()}.${process.pid}.${startOf(process.pid) ?? '0'}.${randomBytes(4).toString('hex')}`;
}

/**
 * Whether the process that made a file of this name lives: `unknown` when it ran at another place, such as on another
 * host that shares the directory, or before the system was started anew.
 */
export function ownerState(name: string): 'alive' | 'dead' | 'unknown' {
  const [place, pid, start] = name.split('.');
  if (place !== placeTag() || pid === undefined || start === undefined || start === '0') return 'unknown';
  return startOf(Number(pid)) === start ? 'alive' : 'dead';
}

function placeTag(): string {
  const boot = readOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const namespace = readOr(() => readlinkSync('/proc/self/ns/pid'));
  return createHash('sha256').update(`${boot} ${namespace}`).digest('hex').slice(0, 12);
}

/** When a process began, in ticks since the start of the system (proc(5), field 22 of stat); `null` without such a one. */
function startOf(pid: number): string | null {
  const text = readOr(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The name of the command, in parentheses, may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[19] ?? null;
}

function readOr(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
