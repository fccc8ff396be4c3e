import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';

const PROGRAM = 'qemu-storage-daemon';

/** Variables that QEMU and librbd may see: how to find things, never what else this server was told. */
const inherited = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'CEPH_CONF', 'CEPH_ARGS', 'CEPH_KEYRING'];

export type Environment = Readonly<Record<string, string | undefined>>;

export function minimalEnvironment(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    inherited.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
}

/** @throws HoldfastError `unavailable` that says how to install it. */
export async function findStorageDaemon(environment: Environment): Promise<string> {
  for (const folder of (environment['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, PROGRAM);
    const isThere =
      folder !== '' &&
      (await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ));
    if (isThere) return path;
  }
  const sentence = `The program ${PROGRAM} is not installed; on Debian: apt-get install qemu-system-common qemu-block-extra.`;
  throw new HoldfastError('unavailable', sentence, { reason: 'not_installed' });
}
