import { HoldfastError } from '../kernel/errors/errors.ts';

/** Reasons that the one who named the file can mend by naming another one. */
const wrongNames = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG', 'EINVAL']);

/** What went wrong, in words: without the code, the call and the path that the disk's own message has. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [, words] = /^E[A-Z0-9]+: ([^,]+), \w+( '.*)?$/s.exec(error.message) ?? [];
  return words ?? error.message;
}

/** The code of an error of this machine's disks, such as `ENOSPC`, also inside a sentence about it; else `null`. */
export function diskCode(error: unknown): string | null {
  const { code, syscall, cause } = error as NodeJS.ErrnoException;
  if (error instanceof HoldfastError) return cause === undefined ? null : diskCode(cause);
  return syscall === undefined ? null : (code ?? null);
}

/** A sentence about a file here that cannot be `read` or `written`; errors of anything else stay what they are. */
export function fileTrouble(path: string, verb: 'read' | 'written', error: unknown): unknown {
  const code = error instanceof HoldfastError ? null : diskCode(error);
  if (code === null) return error;
  const kind = wrongNames.has(code) ? 'invalid' : 'backend';
  return new HoldfastError(kind, `${path} cannot be ${verb}: ${reasonOf(error)}.`, { field: 'file' }, error);
}
