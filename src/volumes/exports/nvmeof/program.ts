import { execFile } from 'node:child_process';
import { HoldfastError } from '../../../kernel/errors/errors.ts';

const OUTPUT_BYTES_MAX = 65_536;
/** Where the programs of the system are, whatever PATH this process was given; what they say is in one language. */
export const systemEnv = {
  ...process.env,
  PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`,
  LC_ALL: 'C',
};

export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end, whatever its status; it is killed when the signal aborts.
 *
 * @throws HoldfastError `unavailable` when it is not installed (`debianPackage` has it), or was ended.
 */
export function runProgram(
  program: string,
  args: readonly string[],
  { debianPackage, signal }: { readonly debianPackage: string; readonly signal: AbortSignal },
): Promise<ProgramResult> {
  const options = { env: systemEnv, signal, killSignal: 'SIGKILL', maxBuffer: OUTPUT_BYTES_MAX } as const;
  return new Promise((resolve, reject) => {
    execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve({ status: 0, stdout, stderr });
      if (typeof error.code === 'number') return resolve({ status: error.code, stdout, stderr });
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const sentence = isMissing
        ? `The program ${program} is not installed on this host; on Debian: apt-get install ${debianPackage}.`
        : `The program ${program} was ended before it had done its work; the outcome is unknown.`;
      reject(new HoldfastError('unavailable', sentence, { program }, error));
    });
  });
}

/** What a program says that failed, in a line. */
export function lastWords({ status, stderr }: ProgramResult): string {
  return stderr.trim().split('\n').at(-1)?.slice(0, 300) || `it ended with ${status}`;
}
