import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { EACCES, EINVAL, ENOENT, EOPNOTSUPP, EPERM, ETIMEDOUT, check } from './errno.ts';
import type { Librbd } from './librbd.ts';
import { type CephConnection, type CephSession, filled } from './session.ts';
import { SharedCall } from './shared-call.ts';
import type { Out, Pointer } from './signatures.ts';
import { listTrash } from './trash-list.ts';

/** After this, a call to an OSD or a monitor ends with ETIMEDOUT; without it, it would wait for ever. */
const OPERATION_TIMEOUT_SECONDS = '20';
const MOUNT_TIMEOUT_SECONDS = '5';
/** A predecessor is a process that has ended, so its address cannot come back; the entry may expire. */
const PREDECESSOR_BLOCK_SECONDS = 3600;

/**
 * Connects to the cluster and opens the pool.
 *
 * @throws HoldfastError of kind `unavailable` with one sentence that names what is wrong: the monitors, the key, the
 * configuration file or the pool.
 */
export async function connect(
  lib: Librbd,
  connection: CephConnection,
  predecessors: readonly string[] = [],
): Promise<CephSession> {
  const user = userOf(connection);
  const out: Out<Pointer> = [null];
  check(await lib.rados.rados_create2(out, 'ceph', user, 0), 'creating a client');
  const cluster = filled(out, 'creating a client');
  try {
    await configure(lib, cluster, connection);
    const code = await lib.rados.rados_connect(cluster);
    if (code < 0) throw connectError(code, connection, user);
    const io = await openPool(lib, cluster, connection.pool);
    return {
      lib,
      cluster,
      io,
      pool: connection.pool,
      clientId: BigInt(await lib.rados.rados_get_instance_id(cluster)),
      address: await addressOf(lib, cluster),
      predecessors: new Set(predecessors),
      trash: new SharedCall(() => listTrash(lib, io, connection.pool)),
    };
  } catch (error) {
    await lib.rados.rados_shutdown(cluster);
    throw error;
  }
}

/**
 * Cuts off the connections of predecessors that ended without closing their images. Otherwise Ceph would count them
 * as watchers for half a minute, and whatever they had under way could still take effect.
 */
export async function cutOffPredecessors(session: CephSession): Promise<void> {
  for (const address of session.predecessors) {
    // Without the right to do so the old watcher expires by itself, only later; so the answer does not matter.
    await session.lib.rados.rados_blocklist_add(session.cluster, address, PREDECESSOR_BLOCK_SECONDS);
  }
}

/** For people: where the cluster is. */
export function describeMonitors(connection: CephConnection): string {
  if (connection.monitors !== undefined && connection.monitors.length > 0) {
    return `monitors ${connection.monitors.join(', ')}`;
  }
  return `the monitors of ${connection.conf ?? 'no configuration file'}`;
}

function userOf(connection: CephConnection): string {
  const user = connection.user ?? 'client.admin';
  return user.startsWith('client.') ? user : `client.${user}`;
}

async function configure(lib: Librbd, cluster: Pointer, connection: CephConnection): Promise<void> {
  if (connection.conf === undefined && (connection.monitors ?? []).length === 0) {
    throw new HoldfastError('unavailable', 'The Ceph backend has neither a configuration file nor monitors.');
  }
  if (connection.conf !== undefined) {
    const code = await lib.rados.rados_conf_read_file(cluster, connection.conf);
    if (code < 0) {
      const why = code === -ENOENT ? 'does not exist' : 'cannot be read';
      throw new HoldfastError('unavailable', `The Ceph configuration file ${connection.conf} ${why}.`);
    }
  }
  if (connection.keyring !== undefined) await requireReadable(connection.keyring);
  const settings: [string, string][] = [
    ['rados_osd_op_timeout', OPERATION_TIMEOUT_SECONDS],
    ['rados_mon_op_timeout', OPERATION_TIMEOUT_SECONDS],
    ['client_mount_timeout', MOUNT_TIMEOUT_SECONDS],
  ];
  // One option holds all monitors; setting it once for each would keep the last alone.
  if (connection.monitors !== undefined && connection.monitors.length > 0) {
    settings.push(['mon_host', connection.monitors.join(',')]);
  }
  if (connection.keyring !== undefined) settings.push(['keyring', connection.keyring]);
  if (connection.conf === undefined) {
    settings.push(['log_file', '']);
    if (connection.keyring === undefined) settings.push(['auth_client_required', 'none']);
  }
  for (const [option, value] of settings) {
    check(await lib.rados.rados_conf_set(cluster, option, value), `setting ${option}`);
  }
}

/** librados would call a missing keyring a refusal. */
async function requireReadable(keyring: string): Promise<void> {
  try {
    await access(keyring, constants.R_OK);
  } catch (error) {
    const message = `The Ceph keyring ${keyring} does not exist or cannot be read.`;
    throw new HoldfastError('unavailable', message, {}, error);
  }
}

function connectError(code: number, connection: CephConnection, user: string): HoldfastError {
  const monitors = describeMonitors(connection);
  const found = connection.conf === undefined ? 'no keyring' : 'its keyring';
  const keyring = connection.keyring === undefined ? found : `keyring ${connection.keyring}`;
  const sentences: Readonly<Record<number, string>> = {
    [ETIMEDOUT]: `Ceph cannot be reached: no answer from ${monitors} within ${MOUNT_TIMEOUT_SECONDS} s.`,
    [ENOENT]: `Ceph cannot be reached at ${monitors}: ${keyring} for ${user} was not found.`,
    [EINVAL]: `Ceph cannot be reached at ${monitors}: an address is wrong, or ${keyring} for ${user} is malformed.`,
    [EACCES]: `Ceph refused ${user} with ${keyring} at ${monitors}: the key is wrong or the user unknown.`,
    [EPERM]: `Ceph refused ${user} with ${keyring} at ${monitors}: the key is wrong or the user unknown.`,
    [EOPNOTSUPP]: `Ceph asks for authentication that the client is not set up for (${monitors}); give a keyring.`,
  };
  const sentence = sentences[-code] ?? `Ceph cannot be reached at ${monitors} (errno ${-code}).`;
  return new HoldfastError('unavailable', sentence);
}

async function openPool(lib: Librbd, cluster: Pointer, pool: string): Promise<Pointer> {
  const out: Out<Pointer> = [null];
  const code = await lib.rados.rados_ioctx_create(cluster, pool, out);
  if (code === -ENOENT) {
    throw new HoldfastError('unavailable', `Ceph has no pool "${pool}"; make it with: ceph osd pool create ${pool}.`);
  }
  check(code, `opening pool ${pool}`);
  return filled(out, `opening pool ${pool}`);
}

async function addressOf(lib: Librbd, cluster: Pointer): Promise<string> {
  const out: Out<Pointer> = [null];
  check(await lib.rados.rados_getaddrs(cluster, out), 'reading the address of this client');
  // The few bytes of the answer are not given back: this runs once for each connection.
  return lib.text(filled(out, 'reading the address of this client'));
}
