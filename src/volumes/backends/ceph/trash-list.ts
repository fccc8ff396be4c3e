import type { Librbd } from './librbd.ts';
import type { Pointer } from './signatures.ts';

export interface TrashEntry {
  readonly id: string;
  readonly name: string;
  readonly deletedAtSeconds: bigint;
}

/** All entries of the pool's trash. Ceph finds them by id alone, so who looks for a name must read them all. */
export async function listTrash(lib: Librbd, io: Pointer, pool: string): Promise<readonly TrashEntry[]> {
  const entries = (await lib.readList(
    'rbd_trash_image_info_t',
    'rbd_trash_list_cleanup',
    (list, count) => lib.rbd.rbd_trash_list(io, list, count),
    `listing the trash of pool ${pool}`,
  )) as readonly { id: string; name: string; deletion_time: number | bigint }[];
  return entries.map(({ id, name, deletion_time }) => ({ id, name, deletedAtSeconds: BigInt(deletion_time) }));
}
