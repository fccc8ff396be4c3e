import { HoldfastError } from '../../../kernel/errors/errors.ts';

interface Problem {
  readonly kind: 'backend' | 'unavailable';
  readonly sentence: string;
  readonly reason?: string;
}

/** What the operating system's refusals mean; `unavailable` where the whole directory is out of use. */
const PROBLEMS: Readonly<Record<string, Problem>> = {
  ENOSPC: { kind: 'backend', sentence: 'The disk is full.', reason: 'full' },
  EDQUOT: { kind: 'backend', sentence: 'The disk quota is used up.', reason: 'full' },
  EFBIG: { kind: 'backend', sentence: 'The file is larger than the file system or the process limit allows.' },
  EROFS: { kind: 'unavailable', sentence: 'The file system is mounted read-only.' },
  EACCES: { kind: 'unavailable', sentence: 'The server has no permission there.' },
  EPERM: { kind: 'unavailable', sentence: 'The server has no permission there.' },
  EIO: { kind: 'unavailable', sentence: 'The disk reports an input/output error.' },
  ESTALE: { kind: 'unavailable', sentence: 'The network file system has lost the file.' },
  ENOENT: { kind: 'unavailable', sentence: 'The directory is not there any more.' },
  ENOTDIR: { kind: 'unavailable', sentence: 'There is a file in the place of a directory.' },
  EMFILE: { kind: 'unavailable', sentence: 'The server has too many files open.' },
  ENFILE: { kind: 'unavailable', sentence: 'The system has too many files open.' },
};

export function errnoOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : null;
}

/** A refusal of the operating system as an error of the domain. What is none of its refusals stays what it is. */
export function toProblem(error: unknown, action: string, directory: string): unknown {
  const code = errnoOf(error);
  if (error instanceof HoldfastError || code === null) return error;
  return problemOf(code, action, directory, error);
}

/** The refusal with this code, such as `ENOSPC`. */
export function problemOf(code: string, action: string, directory: string, cause?: unknown): HoldfastError {
  const { kind, sentence, reason } = PROBLEMS[code] ?? { kind: 'backend', sentence: `The system says ${code}.` };
  const details = { errno: code, ...(reason === undefined ? {} : { reason }) };
  return new HoldfastError(kind, `The directory ${directory} could not ${action}: ${sentence}`, details, cause);
}
