import { constants } from 'node:fs';
import { mkdir, open, rmdir, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ConfigStep } from './plan.ts';

/**
 * Carries a plan out, one step after the other, and stops at the first that fails or when the signal aborts. A step that the
 * kernel has begun is not cut off.
 *
 * @throws HoldfastError with `details.code`, the kernel's error, when it refused.
 */
export async function carryOut(root: string, steps: readonly ConfigStep[], signal: AbortSignal): Promise<void> {
  for (const step of steps) {
    if (signal.aborted) {
      throw new HoldfastError('unavailable', 'The deadline passed while an NVMe export was being changed.');
    }
    try {
      await carry(root, step);
    } catch (error) {
      throw problemOf(step, error);
    }
  }
}

/** The code of the kernel's error, if that is what it was. */
export function kernelCode(error: unknown): unknown {
  return error instanceof HoldfastError ? error.details['code'] : undefined;
}

async function carry(root: string, step: ConfigStep): Promise<void> {
  const path = join(root, step.path);
  if (step.do === 'mkdir') await mkdir(path);
  else if (step.do === 'rmdir') await rmdir(path);
  else if (step.do === 'unlink') await unlink(path);
  else if (step.do === 'link') await symlink(join(root, step.target), path);
  else if (step.do === 'write') await write(path, step.text);
}

/** An attribute takes its text in one write, and is never made by writing to it. Some can be written only. */
async function write(path: string, text: string): Promise<void> {
  await using file = await open(path, constants.O_WRONLY);
  await file.write(text);
}

function problemOf(step: ConfigStep, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error;
  // Never the text that was written: it can be a key. Node's own error has none of it.
  const details = { code, step: `${step.do} ${step.path}` };
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    const sentence = 'The NVMe target of the kernel may be changed by root only, with configfs mounted to be written.';
    return new HoldfastError('unavailable', sentence, details, error);
  }
  if (code === 'ENOENT' && step.path.includes('/dhchap_')) {
    const sentence = 'The kernel of this host has no NVMe authentication (CONFIG_NVME_TARGET_AUTH).';
    return new HoldfastError('unsupported', sentence, details, error);
  }
  if (code === 'ENOENT' && step.path.endsWith('/enable')) {
    return new HoldfastError('not_found', 'The image of the export is not there.', details, error);
  }
  return new HoldfastError(
    'backend',
    `The NVMe target of the kernel refused ${details.step}: ${code}.`,
    details,
    error,
  );
}
