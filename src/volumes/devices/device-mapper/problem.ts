import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { DmsetupResult } from './dmsetup.ts';

const wordsMax = 300;

/** Whether dmsetup said that something is in use. For `create` that is a name or UUID that exists (measured with 1.02). */
export function isBusy({ stderr }: DmsetupResult): boolean {
  return /Device or resource busy|already exists/.test(stderr);
}

/** Whether dmsetup said that there is no device of that name. */
export function isAbsent({ stderr }: DmsetupResult): boolean {
  return /No such device or address|Device .* not found/.test(stderr);
}

/** What a failed call means. Its words are the first line that tells something. */
export function problemOf(args: readonly string[], result: DmsetupResult): HoldfastError {
  const words = wordsOf(result.stderr);
  const details = { command: args.join(' ').slice(0, wordsMax), words };
  if (/Permission denied|Operation not permitted/.test(result.stderr)) {
    const sentence = 'This process may not use device-mapper; it needs to be root, or to have CAP_SYS_ADMIN.';
    return new HoldfastError('unavailable', sentence, { ...details, reason: 'permission' });
  }
  if (/control: open failed|Failure to communicate with kernel|Incompatible libdevmapper/.test(result.stderr)) {
    const sentence = 'The kernel of this host has no device-mapper, or hides it here; try: modprobe dm_mod.';
    return new HoldfastError('unavailable', sentence, { ...details, reason: 'no_device_mapper' });
  }
  return new HoldfastError('backend', `dmsetup ${args[0] ?? ''} failed: ${words}`, details);
}

function wordsOf(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  const line = lines.find((each) => each !== '' && each !== 'Command failed.') ?? 'it gave no reason.';
  return line.slice(0, wordsMax);
}
