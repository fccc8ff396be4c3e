import { ENOENT, check } from './errno.ts';
import type { Librbd } from './librbd.ts';
import type { SharedCall } from './shared-call.ts';
import type { Out, Pointer } from './signatures.ts';
import type { TrashEntry } from './trash-list.ts';

/** How to reach a cluster; plain data, so that it passes to the child process. */
export interface CephConnection {
  readonly pool: string;
  /** Path of a ceph.conf. Without it the monitors must be given. */
  readonly conf?: string;
  /** All monitors, such as `10.0.0.1`, `10.0.0.1:6789` or `v2:10.0.0.1:3300`. */
  readonly monitors?: readonly string[];
  /** Path of a keyring file. Without it and without `conf`, the cluster must not ask for authentication. */
  readonly keyring?: string;
  /** `admin` or `client.admin`. */
  readonly user?: string;
}

/** An open connection to one pool, inside the child process. */
export interface CephSession {
  readonly lib: Librbd;
  readonly cluster: Pointer;
  readonly io: Pointer;
  readonly pool: string;
  /** The number by which Ceph names this client in lists of watchers. */
  readonly clientId: bigint;
  /** This client's address with its nonce, as the blocklist wants it. */
  readonly address: string;
  /** Addresses of earlier child processes, which have ended but may still be listed as watchers for a while. */
  readonly predecessors: ReadonlySet<string>;
  /** Reads the pool's trash, once for all who ask at the same time: each create does, and the trash may be long. */
  readonly trash: SharedCall<readonly TrashEntry[]>;
}

/** Where an image is found: by name while it is live, by id while it is in the trash. */
export type ImageRef = { readonly name: string } | { readonly id: string };

/** `out` of a call that has just succeeded. */
export function filled<T>(out: Out<T>, action: string): T {
  if (out[0] === null) throw new Error(`${action}: Ceph returned success without a result`);
  return out[0];
}

/** Opens an image handle; `null` when there is no such image. */
export async function openHandle(
  session: CephSession,
  io: Pointer,
  ref: ImageRef,
  mode: 'ro' | 'rw',
): Promise<Pointer | null> {
  const { rbd } = session.lib;
  const out: Out<Pointer> = [null];
  const label = 'name' in ref ? ref.name : `id ${ref.id}`;
  let code: number;
  if ('name' in ref) {
    const { name } = ref;
    code = await (mode === 'rw' ? rbd.rbd_open(io, name, out, null) : rbd.rbd_open_read_only(io, name, out, null));
  } else {
    const { id } = ref;
    code = await (mode === 'rw'
      ? rbd.rbd_open_by_id(io, id, out, null)
      : rbd.rbd_open_by_id_read_only(io, id, out, null));
  }
  if (code === -ENOENT) return null;
  check(code, `opening image ${session.pool}/${label}`);
  return filled(out, `opening image ${session.pool}/${label}`);
}
