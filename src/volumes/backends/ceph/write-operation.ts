import type { LibraryHandle } from 'koffi';
import type { Pointer, RadosCalls } from './signatures.ts';

/** `LIBRADOS_CMPXATTR_OP_EQ` of `rados/librados.h`. */
const EQUAL = 1;

/** What an object's omap must hold for an operation to be done. */
export interface OmapCondition {
  readonly key: string;
  readonly value: string;
}

/** Runs a method of an object class on an existing object if the condition holds; ECANCELED when it does not. */
export type ExecuteIf = (
  io: Pointer,
  object: string,
  condition: OmapCondition,
  objectClass: string,
  method: string,
  input: Buffer,
) => Promise<number>;

/**
 * Binds the write operations of librados, of which the steps are done together or not at all. They are put together in
 * memory, on this thread; only the sending waits for the cluster.
 */
export function writeOperations(library: LibraryHandle, rados: RadosCalls): ExecuteIf {
  const create = library.func('void *rados_create_write_op()');
  const release = library.func('void rados_release_write_op(void *op)');
  const assertExists = library.func('void rados_write_op_assert_exists(void *op)');
  const compareOmap = library.func(
    'void rados_write_op_omap_cmp2(void *op, str key, uint8_t operator, const uint8_t *value, size_t key_len, ' +
      'size_t value_len, void *result)',
  );
  const execute = library.func(
    'void rados_write_op_exec(void *op, str cls, str method, const uint8_t *in, size_t in_len, void *result)',
  );
  return async (io, object, condition, objectClass, method, input) => {
    const operation = create() as Pointer;
    try {
      const value = Buffer.from(condition.value);
      assertExists(operation);
      compareOmap(operation, condition.key, EQUAL, value, Buffer.byteLength(condition.key), value.length, null);
      execute(operation, objectClass, method, input, input.length, null);
      return await rados.rados_write_op_operate(operation, io, object, null, 0);
    } finally {
      release(operation);
    }
  };
}
