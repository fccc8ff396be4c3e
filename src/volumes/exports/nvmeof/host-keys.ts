import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ExportSpec } from '../target.ts';
import type { HostKeys } from './connection-info.ts';

/**
 * Keys belong to a host, and count for all that it may connect to. One that is in use is never changed by the way.
 *
 * @throws HoldfastError `conflict` (`{reason: 'other_key'}`) when a host that is there has other keys than these.
 */
export async function checkHostKeys(root: string, { allowedHosts, dhchap }: ExportSpec): Promise<void> {
  for (const nqn of allowedHosts) {
    const keys = await keysOf(root, nqn);
    if (keys[0] === (dhchap?.key ?? '') && keys[1] === (dhchap?.controllerKey ?? '')) continue;
    const sentence = `The host ${nqn} has other keys than these, or none; they are of all its exports here.`;
    throw new HoldfastError('conflict', sentence, { reason: 'other_key', host: nqn });
  }
}

/** Which keys the hosts of an export need; all of them have the same. */
export async function hostKeysOf(root: string, [nqn]: readonly string[]): Promise<HostKeys> {
  if (nqn === undefined) return 'none';
  const [key, controllerKey] = await keysOf(root, nqn);
  if (key === '') return 'none';
  return controllerKey === '' ? 'host' : 'both';
}

async function keysOf(root: string, nqn: string): Promise<readonly [key: string, controllerKey: string]> {
  const folder = join(root, 'hosts', nqn);
  return [await keyIn(join(folder, 'dhchap_key')), await keyIn(join(folder, 'dhchap_ctrl_key'))];
}

/** Empty for none, and where the kernel has no authentication. */
async function keyIn(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new HoldfastError('backend', `The keys of a host cannot be read: ${error.code}.`);
  });
  return text.trim() === '(null)' ? '' : text.trim();
}
