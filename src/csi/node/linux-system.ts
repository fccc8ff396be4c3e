import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type Mount, parseMounts } from './mounts.ts';
import type { NodeSystem, ProgramResult } from './system.ts';

const outputBytesMax = 1_048_576;
/** System programs stand here, whatever PATH the process was given. */
const folders = '/usr/sbin:/usr/bin:/sbin:/bin';

/** The machine itself. */
export class LinuxSystem implements NodeSystem {
  run(program: string, args: readonly string[], timeoutMs: number): Promise<ProgramResult> {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: outputBytesMax,
      // Messages are read by this program and by people who search for them, in one language.
      env: { PATH: `${process.env['PATH'] ?? ''}:${folders}`, LC_ALL: 'C' },
    } as const;
    return new Promise((resolve, reject) => {
      execFile(program, [...args], options, (error, stdout, stderr) => {
        if (error === null) return resolve({ code: 0, stdout, stderr });
        if (typeof error.code === 'number') return resolve({ code: error.code, stdout, stderr });
        const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
        const isLate = error.killed === true;
        const why = isLate ? `did not end within ${timeoutMs} ms` : error.message;
        const message = isMissing ? `${program} is not installed on this node.` : `${program} ${why}.`;
        const details = { program, ...(isLate ? { timeout_ms: timeoutMs } : {}) };
        reject(new HoldfastError('unavailable', message, details, error));
      });
    });
  }

  async mounts(): Promise<readonly Mount[]> {
    return parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  }
}
