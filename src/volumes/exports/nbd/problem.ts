import { type ErrorKind, HoldfastError } from '../../../kernel/errors/errors.ts';
import { QmpRefusal } from './qmp/qmp-refusal.ts';

/** What a refusal of the daemon means, where its words are known (QEMU 7.2); `null` where they are not. */
export type Meaning = 'in_use' | 'absent' | 'no_image' | 'no_driver' | 'unreachable';

const meanings: readonly [RegExp, Meaning][] = [
  [/still in use|is in use\b/, 'in_use'],
  [/^Export '.*' is not found|Failed to find node|^object '.*' not found|^Device '.*' not found/, 'absent'],
  [/Unknown driver|Unknown protocol/i, 'no_driver'],
  [/No such file or directory/, 'no_image'],
  [/error connecting|timed out/i, 'unreachable'],
];

export function meaningOf(error: unknown): Meaning | null {
  if (!(error instanceof QmpRefusal)) return null;
  return meanings.find(([pattern]) => pattern.test(error.description))?.[1] ?? null;
}

const kinds: Readonly<Record<Exclude<Meaning, 'absent'>, readonly [kind: ErrorKind, sentence: string]>> = {
  in_use: ['conflict', 'It is still in use'],
  no_image: ['not_found', 'The image of the export is not there'],
  no_driver: ['unavailable', 'qemu-storage-daemon lacks a driver (on Debian: apt-get install qemu-block-extra)'],
  unreachable: ['unavailable', 'The image of the export cannot be reached'],
};

/** A refusal as an error of the domain; any other error as it is. */
export function problemOf(error: unknown): unknown {
  if (!(error instanceof QmpRefusal)) return error;
  const words = error.description.replace(/\.$/, '').slice(0, 300);
  const details = { command: error.command, words };
  const meaning = meaningOf(error);
  if (meaning === null || meaning === 'absent') {
    return new HoldfastError('backend', `qemu-storage-daemon refused ${error.command}: ${words}.`, details, error);
  }
  const [kind, sentence] = kinds[meaning];
  return new HoldfastError(kind, `${sentence}: ${words}.`, { ...details, reason: meaning }, error);
}

/** Does work whose refusals are errors of the domain. */
export async function asProblems<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw problemOf(error);
  }
}
