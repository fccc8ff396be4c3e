import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { passed } from '../image-rules.ts';

/** What the operating system's refusals mean, in one sentence each; `unavailable` where a repeat may do better. */
const PROBLEMS: Readonly<Record<string, { readonly kind: 'backend' | 'unavailable'; readonly sentence: string }>> = {
  ENOSPC: { kind: 'backend', sentence: 'The disk is full.' },
  EDQUOT: { kind: 'backend', sentence: 'The disk quota is used up.' },
  EFBIG: { kind: 'backend', sentence: 'The file would be larger than the file system or the process limit allows.' },
  EROFS: { kind: 'unavailable', sentence: 'The file system is mounted read-only.' },
  EACCES: { kind: 'unavailable', sentence: 'The server has no permission there.' },
  EPERM: { kind: 'unavailable', sentence: 'The server has no permission there.' },
  EIO: { kind: 'unavailable', sentence: 'The disk reports an input/output error.' },
  ESTALE: { kind: 'unavailable', sentence: 'The network file system has lost the file.' },
  ENOENT: { kind: 'unavailable', sentence: 'A file vanished meanwhile.' },
  ENOTDIR: { kind: 'unavailable', sentence: 'There is a file in the place of a directory.' },
  EMFILE: { kind: 'unavailable', sentence: 'The server has too many files open.' },
  ENFILE: { kind: 'unavailable', sentence: 'The system has too many files open.' },
};

export function errnoOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/** Any failure of a verb as an error of the domain. */
export function toProblem(error: unknown, verb: string, directory: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  if (error instanceof Error && error.name === 'AbortError') return passed(verb);
  const code = errnoOf(error);
  const problem = code === null ? undefined : PROBLEMS[code];
  const action = `The file backend could not do ${verb} in ${directory}`;
  if (problem !== undefined) {
    return new HoldfastError(problem.kind, `${action}: ${problem.sentence}`, { errno: code }, error);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new HoldfastError(code === null ? 'internal' : 'backend', `${action}: ${reason}.`, { errno: code }, error);
}

/** The result of `work`, or `fallback` when the file or directory is not there. */
export async function unlessAbsent<T, F>(work: Promise<T>, fallback: F): Promise<T | F> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return fallback;
    throw error;
  }
}
