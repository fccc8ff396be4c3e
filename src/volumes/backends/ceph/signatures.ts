/**
 * The C functions of librados 2 and librbd 1 that the adapter calls, as koffi reads them, and their types as
 * TypeScript sees them. Source: the headers `rados/librados.h` and `rbd/librbd.h` of Ceph 16 (Pacific) and later.
 */

/** An address in native memory. */
export type Pointer = bigint;
/** Where a call puts a result: element 0. */
export type Out<T> = [T | null];
/** A count that a call reads and writes: element 0. */
export type InOut = [number];

export interface RadosCalls {
  rados_create2(out: Out<Pointer>, cluster: string, user: string, flags: number): Promise<number>;
  rados_conf_read_file(cluster: Pointer, path: string): Promise<number>;
  rados_conf_set(cluster: Pointer, option: string, value: string): Promise<number>;
  rados_connect(cluster: Pointer): Promise<number>;
  rados_shutdown(cluster: Pointer): Promise<void>;
  rados_ioctx_create(cluster: Pointer, pool: string, out: Out<Pointer>): Promise<number>;
  rados_ioctx_create2(cluster: Pointer, poolId: bigint, out: Out<Pointer>): Promise<number>;
  rados_ioctx_set_namespace(pool: Pointer, namespace: string): Promise<void>;
  rados_ioctx_destroy(pool: Pointer): Promise<void>;
  rados_getaddrs(cluster: Pointer, out: Out<Pointer>): Promise<number>;
  rados_get_instance_id(cluster: Pointer): Promise<number | bigint>;
  rados_cluster_stat(cluster: Pointer, out: Partial<ClusterStat>): Promise<number>;
  rados_stat(pool: Pointer, object: string, sizeBytes: Out<bigint>, modified: Out<bigint>): Promise<number>;
  rados_read(pool: Pointer, object: string, out: Buffer, length: bigint, offset: bigint): Promise<number>;
  rados_write_op_operate(operation: Pointer, pool: Pointer, object: string, time: null, flags: number): Promise<number>;
  rados_read_op_operate(operation: Pointer, pool: Pointer, object: string, flags: number): Promise<number>;
  rados_blocklist_add(cluster: Pointer, address: string, expireSeconds: number): Promise<number>;
}

export interface RbdCalls {
  rbd_list2(pool: Pointer, list: Pointer, count: InOut): Promise<number>;
  rbd_create4(pool: Pointer, image: string, sizeBytes: bigint, options: Pointer): Promise<number>;
  rbd_clone3(
    parentPool: Pointer,
    parent: string,
    snapshot: string,
    pool: Pointer,
    image: string,
    options: Pointer,
  ): Promise<number>;
  rbd_remove(pool: Pointer, image: string): Promise<number>;
  rbd_open(pool: Pointer, image: string, out: Out<Pointer>, snapshot: null): Promise<number>;
  rbd_open_read_only(pool: Pointer, image: string, out: Out<Pointer>, snapshot: null): Promise<number>;
  rbd_open_by_id(pool: Pointer, id: string, out: Out<Pointer>, snapshot: null): Promise<number>;
  rbd_open_by_id_read_only(pool: Pointer, id: string, out: Out<Pointer>, snapshot: null): Promise<number>;
  rbd_close(image: Pointer): Promise<number>;
  rbd_get_size(image: Pointer, out: Out<number | bigint>): Promise<number>;
  rbd_get_id(image: Pointer, out: Buffer, capacity: number): Promise<number>;
  rbd_get_parent(image: Pointer, parent: Pointer, snapshot: Pointer): Promise<number>;
  rbd_linked_image_spec_cleanup(parent: Pointer): Promise<void>;
  rbd_snap_spec_cleanup(snapshot: Pointer): Promise<void>;
  rbd_resize2(image: Pointer, sizeBytes: bigint, allowShrink: boolean, cb: null, arg: null): Promise<number>;
  rbd_flatten(image: Pointer): Promise<number>;
  rbd_write(image: Pointer, offset: bigint, length: number, data: Buffer): Promise<number | bigint>;
  rbd_snap_list(image: Pointer, list: Pointer, count: InOut): Promise<number>;
  rbd_snap_get_namespace_type(image: Pointer, id: bigint, out: Out<number>): Promise<number>;
  rbd_snap_create(image: Pointer, snapshot: string): Promise<number>;
  rbd_snap_remove2(image: Pointer, snapshot: string, flags: number, cb: null, arg: null): Promise<number>;
  rbd_snap_remove_by_id(image: Pointer, id: bigint): Promise<number>;
  rbd_snap_rollback(image: Pointer, snapshot: string): Promise<number>;
  rbd_list_children3(image: Pointer, list: Pointer, count: InOut): Promise<number>;
  rbd_watchers_list(image: Pointer, list: Pointer, count: InOut): Promise<number>;
  rbd_metadata_set(image: Pointer, key: string, value: string): Promise<number>;
  rbd_metadata_remove(image: Pointer, key: string): Promise<number>;
  rbd_metadata_list(
    image: Pointer,
    after: string,
    limit: number,
    keys: Buffer,
    keysBytes: InOut,
    values: Buffer,
    valuesBytes: InOut,
  ): Promise<number>;
  rbd_trash_move(pool: Pointer, image: string, delaySeconds: number): Promise<number>;
  rbd_trash_list(pool: Pointer, list: Pointer, count: InOut): Promise<number>;
  rbd_trash_restore(pool: Pointer, id: string, image: string): Promise<number>;
  rbd_trash_remove(pool: Pointer, id: string, force: boolean): Promise<number>;
}

export interface ClusterStat {
  readonly kb: number | bigint;
  readonly kb_used: number | bigint;
  readonly kb_avail: number | bigint;
  readonly num_objects: number | bigint;
}

/** `struct` layouts by name; the field order is the ABI. */
export const STRUCTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  rados_cluster_stat_t: { kb: 'uint64_t', kb_used: 'uint64_t', kb_avail: 'uint64_t', num_objects: 'uint64_t' },
  rbd_image_spec_t: { id: 'str', name: 'str' },
  rbd_linked_image_spec_t: {
    pool_id: 'int64_t',
    pool_name: 'str',
    pool_namespace: 'str',
    image_id: 'str',
    image_name: 'str',
    trash: 'bool',
  },
  rbd_snap_spec_t: { id: 'uint64_t', namespace_type: 'int', name: 'str' },
  rbd_snap_info_t: { id: 'uint64_t', size: 'uint64_t', name: 'str' },
  rbd_image_watcher_t: { addr: 'str', id: 'int64_t', cookie: 'uint64_t' },
  rbd_trash_image_info_t: {
    id: 'str',
    name: 'str',
    source: 'int',
    deletion_time: 'int64_t',
    deferment_end_time: 'int64_t',
  },
};

export const RADOS_SIGNATURES: Readonly<Record<keyof RadosCalls, string>> = {
  rados_create2: 'int rados_create2(_Out_ void **cluster, str name, str user, uint64_t flags)',
  rados_conf_read_file: 'int rados_conf_read_file(void *cluster, str path)',
  rados_conf_set: 'int rados_conf_set(void *cluster, str option, str value)',
  rados_connect: 'int rados_connect(void *cluster)',
  rados_shutdown: 'void rados_shutdown(void *cluster)',
  rados_ioctx_create: 'int rados_ioctx_create(void *cluster, str pool, _Out_ void **io)',
  rados_ioctx_create2: 'int rados_ioctx_create2(void *cluster, int64_t pool, _Out_ void **io)',
  rados_ioctx_set_namespace: 'void rados_ioctx_set_namespace(void *io, str namespace)',
  rados_ioctx_destroy: 'void rados_ioctx_destroy(void *io)',
  rados_getaddrs: 'int rados_getaddrs(void *cluster, _Out_ void **addresses)',
  rados_get_instance_id: 'uint64_t rados_get_instance_id(void *cluster)',
  rados_cluster_stat: 'int rados_cluster_stat(void *cluster, _Out_ rados_cluster_stat_t *stat)',
  rados_stat: 'int rados_stat(void *io, str object, _Out_ uint64_t *size, _Out_ int64_t *modified)',
  rados_read: 'int rados_read(void *io, str object, _Out_ uint8_t *out, size_t length, uint64_t offset)',
  rados_write_op_operate: 'int rados_write_op_operate(void *op, void *io, str object, void *time, int flags)',
  rados_read_op_operate: 'int rados_read_op_operate(void *op, void *io, str object, int flags)',
  rados_blocklist_add: 'int rados_blocklist_add(void *cluster, str address, uint32_t seconds)',
};

const OPEN = 'void *io, str image, _Out_ void **out, str snapshot';

export const RBD_SIGNATURES: Readonly<Record<keyof RbdCalls, string>> = {
  rbd_list2: 'int rbd_list2(void *io, void *list, _Inout_ size_t *count)',
  rbd_create4: 'int rbd_create4(void *io, str image, uint64_t size, void *options)',
  rbd_clone3: 'int rbd_clone3(void *parent_io, str parent, str snapshot, void *io, str image, void *options)',
  rbd_remove: 'int rbd_remove(void *io, str image)',
  rbd_open: `int rbd_open(${OPEN})`,
  rbd_open_read_only: `int rbd_open_read_only(${OPEN})`,
  rbd_open_by_id: `int rbd_open_by_id(${OPEN})`,
  rbd_open_by_id_read_only: `int rbd_open_by_id_read_only(${OPEN})`,
  rbd_close: 'int rbd_close(void *image)',
  rbd_get_size: 'int rbd_get_size(void *image, _Out_ uint64_t *size)',
  rbd_get_id: 'int rbd_get_id(void *image, _Out_ uint8_t *id, size_t capacity)',
  rbd_get_parent: 'int rbd_get_parent(void *image, void *parent, void *snapshot)',
  rbd_linked_image_spec_cleanup: 'void rbd_linked_image_spec_cleanup(void *parent)',
  rbd_snap_spec_cleanup: 'void rbd_snap_spec_cleanup(void *snapshot)',
  rbd_resize2: 'int rbd_resize2(void *image, uint64_t size, bool allow_shrink, void *cb, void *arg)',
  rbd_flatten: 'int rbd_flatten(void *image)',
  rbd_write: 'int64_t rbd_write(void *image, uint64_t offset, size_t length, const uint8_t *data)',
  rbd_snap_list: 'int rbd_snap_list(void *image, void *list, _Inout_ int *count)',
  rbd_snap_get_namespace_type: 'int rbd_snap_get_namespace_type(void *image, uint64_t id, _Out_ int *type)',
  rbd_snap_create: 'int rbd_snap_create(void *image, str snapshot)',
  rbd_snap_remove2: 'int rbd_snap_remove2(void *image, str snapshot, uint32_t flags, void *cb, void *arg)',
  rbd_snap_remove_by_id: 'int rbd_snap_remove_by_id(void *image, uint64_t id)',
  rbd_snap_rollback: 'int rbd_snap_rollback(void *image, str snapshot)',
  rbd_list_children3: 'int rbd_list_children3(void *image, void *list, _Inout_ size_t *count)',
  rbd_watchers_list: 'int rbd_watchers_list(void *image, void *list, _Inout_ size_t *count)',
  rbd_metadata_set: 'int rbd_metadata_set(void *image, str key, str value)',
  rbd_metadata_remove: 'int rbd_metadata_remove(void *image, str key)',
  rbd_metadata_list:
    'int rbd_metadata_list(void *image, str after, uint64_t max, _Out_ uint8_t *keys, _Inout_ size_t *keys_len, ' +
    '_Out_ uint8_t *values, _Inout_ size_t *values_len)',
  rbd_trash_move: 'int rbd_trash_move(void *io, str image, uint64_t delay)',
  rbd_trash_list: 'int rbd_trash_list(void *io, void *list, _Inout_ size_t *count)',
  rbd_trash_restore: 'int rbd_trash_restore(void *io, str id, str image)',
  rbd_trash_remove: 'int rbd_trash_remove(void *io, str id, bool force)',
};
