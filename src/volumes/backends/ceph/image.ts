import { setTimeout as delay } from 'node:timers/promises';
import { EBUSY, ENOENT, ERANGE, cephError, check, checkExcept } from './errno.ts';
import { type Expected, setMetadataIf } from './header.ts';
import { type CephSession, type ImageRef, filled, openHandle } from './session.ts';
import type { InOut, Out, Pointer } from './signatures.ts';

/** `RBD_SNAP_REMOVE_UNPROTECT` of `librbd.h`: a protected snapshot without clones may be removed. */
const SNAP_REMOVE_UNPROTECT = 1;
/** `RBD_SNAP_NAMESPACE_TYPE_USER`; other namespaces hold snapshots that Ceph keeps for groups, clones and mirrors. */
const SNAP_NAMESPACE_USER = 0;
const ID_CAPACITY_BYTES = 256;
const METADATA_PAGE = 64;
const METADATA_MAX_PAGES = 64;
const METADATA_FIRST_CAPACITY_BYTES = 4 * 1024;
const METADATA_MAX_CAPACITY_BYTES = 1024 * 1024;
const PREDECESSOR_POLL_MS = 50;
const PREDECESSOR_MAX_POLLS = 100;

export interface Snapshot {
  readonly id: bigint;
  readonly name: string;
  readonly sizeBytes: bigint;
  /** `false` for a snapshot that Ceph keeps for itself, such as one deleted while clones still need it. */
  readonly ofUser: boolean;
}

export interface Watcher {
  readonly address: string;
  readonly clientId: bigint;
}

export interface LinkedImage {
  readonly poolId: bigint;
  readonly namespace: string;
  readonly id: string;
  readonly name: string;
  readonly inTrash: boolean;
}

/**
 * One open image, in the child process. Every method is one or a few librbd calls and throws the error of `errno.ts`.
 * A handle opened `rw` counts as a watcher of the image while it is open; one opened `ro` does not.
 */
export class CephImage {
  readonly #session: CephSession;
  readonly #io: Pointer;
  readonly #handle: Pointer;
  readonly #label: string;
  #id: Promise<string> | null = null;

  private constructor(session: CephSession, io: Pointer, handle: Pointer, label: string) {
    this.#session = session;
    this.#io = io;
    this.#handle = handle;
    this.#label = label;
  }

  /** Opens, uses and closes an image. Resolves to `null` without calling `use` when there is no such image. */
  static async with<T>(
    session: CephSession,
    ref: ImageRef,
    mode: 'ro' | 'rw',
    use: (image: CephImage) => Promise<T>,
    io: Pointer = session.io,
  ): Promise<T | null> {
    const handle = await openHandle(session, io, ref, mode);
    if (handle === null) return null;
    const label = `${session.pool}/${'name' in ref ? ref.name : `id ${ref.id}`}`;
    try {
      return await use(new CephImage(session, io, handle, label));
    } finally {
      // The result stands whatever the close says: every change was confirmed by its own call before.
      await session.lib.rbd.rbd_close(handle);
    }
  }

  async sizeBytes(): Promise<bigint> {
    const out: Out<number | bigint> = [null];
    check(await this.#rbd.rbd_get_size(this.#handle, out), `reading the size of ${this.#label}`);
    return BigInt(filled(out, 'size'));
  }

  /** The internal id, which stays the same for the life of the image. */
  id(): Promise<string> {
    this.#id ??= this.#readId();
    return this.#id;
  }

  async #readId(): Promise<string> {
    const buffer = Buffer.alloc(ID_CAPACITY_BYTES);
    check(await this.#rbd.rbd_get_id(this.#handle, buffer, buffer.length), `reading the id of ${this.#label}`);
    return buffer.toString('utf8', 0, buffer.indexOf(0));
  }

  /** The image's metadata of which the keys begin with `prefix`. */
  async metadata(prefix: string): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    // Keys come in byte order, after the given one; the prefix itself is never a key.
    let after = prefix;
    for (let page = 0; page < METADATA_MAX_PAGES; page++) {
      const entries = await this.#metadataPage(after);
      for (const [key, value] of entries) {
        if (!key.startsWith(prefix)) return found;
        found.set(key, value);
      }
      const last = entries.at(-1);
      if (last === undefined || entries.length < METADATA_PAGE) break;
      after = last[0];
    }
    return found;
  }

  async #metadataPage(after: string): Promise<readonly (readonly [key: string, value: string])[]> {
    const action = `reading the metadata of ${this.#label}`;
    for (let capacity = METADATA_FIRST_CAPACITY_BYTES; capacity <= METADATA_MAX_CAPACITY_BYTES; capacity *= 4) {
      const keys = Buffer.alloc(capacity);
      const values = Buffer.alloc(capacity);
      const keysBytes: InOut = [capacity];
      const valuesBytes: InOut = [capacity];
      const { rbd_metadata_list: list } = this.#rbd;
      const code = await list(this.#handle, after, METADATA_PAGE, keys, keysBytes, values, valuesBytes);
      if (code === -ERANGE) continue;
      check(code, action);
      const pageValues = strings(values, valuesBytes[0]);
      return strings(keys, keysBytes[0]).map((key, index) => [key, pageValues[index] ?? '']);
    }
    throw new Error(`${action}: one page of it is larger than ${METADATA_MAX_CAPACITY_BYTES} bytes`);
  }

  async setMetadata(key: string, value: string): Promise<void> {
    check(await this.#rbd.rbd_metadata_set(this.#handle, key, value), `setting ${key} of ${this.#label}`);
  }

  /** Sets a key if what stands there is what was read before; see `header.ts`. Resolves to whether it was set. */
  async setMetadataIf(expected: Expected, value: string): Promise<boolean> {
    const values = new Map([[expected.key, value]]);
    const outcome = await setMetadataIf(this.#session, this.#io, await this.id(), expected, values);
    if (outcome === 'absent') throw cephError(-ENOENT, `setting ${expected.key} of ${this.#label}`);
    return outcome === 'set';
  }

  async removeMetadata(key: string): Promise<void> {
    checkExcept(await this.#rbd.rbd_metadata_remove(this.#handle, key), [ENOENT], `removing ${key} of ${this.#label}`);
  }

  /** Clients that have the image open for writing, without this process and its ended predecessors. */
  async watchers(): Promise<readonly Watcher[]> {
    const { clientId, predecessors } = this.#session;
    const all = await this.#allWatchers();
    return all.filter((watcher) => watcher.clientId !== clientId && !predecessors.has(watcher.address));
  }

  /**
   * Waits, for at most some seconds, until Ceph has noticed that our predecessors have ended: it refuses to remove an
   * image while it counts them as watchers.
   */
  async outlastPredecessors(): Promise<void> {
    const { predecessors } = this.#session;
    if (predecessors.size === 0) return;
    for (let poll = 0; poll < PREDECESSOR_MAX_POLLS; poll++) {
      const all = await this.#allWatchers();
      if (!all.some((watcher) => predecessors.has(watcher.address))) return;
      await delay(PREDECESSOR_POLL_MS);
    }
  }

  async #allWatchers(): Promise<readonly Watcher[]> {
    const entries = (await this.#session.lib.readList(
      'rbd_image_watcher_t',
      'rbd_watchers_list_cleanup',
      (list, count) => this.#rbd.rbd_watchers_list(this.#handle, list, count),
      `listing the watchers of ${this.#label}`,
    )) as readonly { addr: string; id: number | bigint }[];
    return entries.map((entry) => ({ address: entry.addr, clientId: BigInt(entry.id) }));
  }

  async snapshots(): Promise<readonly Snapshot[]> {
    const entries = (await this.#session.lib.readList(
      'rbd_snap_info_t',
      'rbd_snap_list_end',
      (list, count) => this.#rbd.rbd_snap_list(this.#handle, list, count),
      `listing the snapshots of ${this.#label}`,
    )) as readonly { id: number | bigint; size: number | bigint; name: string }[];
    const snapshots: Snapshot[] = [];
    for (const entry of entries) {
      const id = BigInt(entry.id);
      const type: Out<number> = [null];
      const code = await this.#rbd.rbd_snap_get_namespace_type(this.#handle, id, type);
      if (code === -ENOENT) continue;
      check(code, `reading snapshot ${entry.name} of ${this.#label}`);
      snapshots.push({ id, name: entry.name, sizeBytes: BigInt(entry.size), ofUser: type[0] === SNAP_NAMESPACE_USER });
    }
    return snapshots;
  }

  async createSnapshot(name: string): Promise<void> {
    check(await this.#rbd.rbd_snap_create(this.#handle, name), `creating snapshot ${name} of ${this.#label}`);
  }

  /** Removes a snapshot; absent is success. With clones of format 2, Ceph keeps its data until they are flattened. */
  async removeSnapshot(name: string): Promise<void> {
    const code = await this.#rbd.rbd_snap_remove2(this.#handle, name, SNAP_REMOVE_UNPROTECT, null, null);
    checkExcept(code, [ENOENT], `removing snapshot ${name} of ${this.#label}`);
  }

  /**
   * Removes a snapshot that Ceph has hidden because clones needed it. Ceph does so itself after the last of them, but
   * not when that step was cut off; while a clone still needs it this changes nothing.
   */
  async removeHiddenSnapshot(snapshot: Snapshot): Promise<void> {
    const code = await this.#rbd.rbd_snap_remove_by_id(this.#handle, snapshot.id);
    checkExcept(code, [ENOENT, EBUSY], `removing hidden snapshot ${snapshot.name} of ${this.#label}`);
  }

  async rollback(snapshot: string): Promise<void> {
    check(await this.#rbd.rbd_snap_rollback(this.#handle, snapshot), `reverting ${this.#label} to ${snapshot}`);
  }

  async grow(sizeBytes: bigint): Promise<void> {
    const code = await this.#rbd.rbd_resize2(this.#handle, sizeBytes, false, null, null);
    check(code, `resizing ${this.#label} to ${sizeBytes} bytes`);
  }

  /** Copies what the image still shares with its parent, so that it stands alone. */
  async flatten(): Promise<void> {
    check(await this.#rbd.rbd_flatten(this.#handle), `flattening ${this.#label}`);
  }

  /** Clones of any snapshot of this image, in every pool, those in the trash included. */
  async children(): Promise<readonly LinkedImage[]> {
    const entries = (await this.#session.lib.readList(
      'rbd_linked_image_spec_t',
      'rbd_linked_image_spec_list_cleanup',
      (list, count) => this.#rbd.rbd_list_children3(this.#handle, list, count),
      `listing the clones of ${this.#label}`,
    )) as readonly LinkedImageSpec[];
    return entries.map(linkedImageOf);
  }

  /** The image and snapshot of which this is a clone; `null` when it stands alone. */
  async parent(): Promise<{ readonly image: LinkedImage; readonly snapshot: string } | null> {
    const { lib } = this.#session;
    return await lib.withStructs(['rbd_linked_image_spec_t', 'rbd_snap_spec_t'], async ([image, snapshot]) => {
      if (image === undefined || snapshot === undefined) throw new Error('no memory for the parent was lent');
      const code = await this.#rbd.rbd_get_parent(this.#handle, image, snapshot);
      if (code === -ENOENT) return null;
      check(code, `reading the parent of ${this.#label}`);
      const found = {
        image: linkedImageOf(lib.decode(image, 'rbd_linked_image_spec_t') as LinkedImageSpec),
        snapshot: (lib.decode(snapshot, 'rbd_snap_spec_t') as { name: string }).name,
      };
      await this.#rbd.rbd_linked_image_spec_cleanup(image);
      await this.#rbd.rbd_snap_spec_cleanup(snapshot);
      return found;
    });
  }

  get #rbd(): CephSession['lib']['rbd'] {
    return this.#session.lib.rbd;
  }
}

interface LinkedImageSpec {
  readonly pool_id: number | bigint;
  readonly pool_namespace: string;
  readonly image_id: string;
  readonly image_name: string;
  readonly trash: boolean;
}

function linkedImageOf(spec: LinkedImageSpec): LinkedImage {
  return {
    poolId: BigInt(spec.pool_id),
    namespace: spec.pool_namespace,
    id: spec.image_id,
    name: spec.image_name,
    inTrash: spec.trash,
  };
}

/** Splits a buffer of strings that each end with NUL. */
function strings(buffer: Buffer, lengthBytes: number): readonly string[] {
  const text = buffer.toString('utf8', 0, Number(lengthBytes));
  return text === '' ? [] : text.slice(0, text.endsWith('\0') ? -1 : undefined).split('\0');
}
