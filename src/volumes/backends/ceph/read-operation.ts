import koffi, { type LibraryHandle } from 'koffi';
import type { Pointer, RadosCalls } from './signatures.ts';

/** `LIBRADOS_OP_FLAG_FAILOK` of `rados/librados.h`: an error of this step is no error of the operation. */
const FAIL_OK = 2;
/** What librados writes of each step, in memory that stands until the operation has ended. */
const ANSWER = 'holdfast_class_answer';

/** One method of an object class, of which an error is told and does not end the others. */
export interface ClassCall {
  readonly objectClass: string;
  readonly method: string;
  readonly input: Buffer;
}

/** The return code of one method, and what it gave. */
export interface ClassAnswer {
  readonly code: number;
  readonly output: Buffer;
}

/** Runs reading methods on one object in one round trip, all of them on the same state of it. */
export type ReadByClass = (
  io: Pointer,
  object: string,
  calls: readonly ClassCall[],
) => Promise<{ readonly code: number; readonly answers: readonly ClassAnswer[] }>;

/** Binds the read operations of librados. As with those that write, only the sending waits for the cluster. */
export function readOperations(library: LibraryHandle, rados: RadosCalls): ReadByClass {
  const create = library.func('void *rados_create_read_op()');
  const release = library.func('void rados_release_read_op(void *op)');
  const assertExists = library.func('void rados_read_op_assert_exists(void *op)');
  const execute = library.func(
    'void rados_read_op_exec(void *op, str cls, str method, const uint8_t *in, size_t in_len, void *out, ' +
      'void *out_len, void *code)',
  );
  const setFlags = library.func('void rados_read_op_set_flags(void *op, int flags)');
  const freeBuffer = library.func('void rados_buffer_free(void *buffer)');
  koffi.struct(ANSWER, { output: 'void *', length: 'size_t', code: 'int' });

  const take = (memory: Pointer): ClassAnswer => {
    const { output, length, code } = koffi.decode(memory, ANSWER) as {
      output: Pointer | null;
      length: number | bigint;
      code: number;
    };
    if (output === null) return { code, output: Buffer.alloc(0) };
    const bytes = koffi.decode(output, koffi.array('uint8_t', Number(length))) as Uint8Array;
    freeBuffer(output);
    return { code, output: Buffer.from(bytes) };
  };

  return async (io, object, calls) => {
    const operation = create() as Pointer;
    const memory = calls.map(() => koffi.alloc(ANSWER, 1) as Pointer);
    try {
      assertExists(operation);
      for (const [index, { objectClass, method, input }] of calls.entries()) {
        const at = memory[index]!;
        const [length, code] = [
          at + BigInt(koffi.offsetof(ANSWER, 'length')),
          at + BigInt(koffi.offsetof(ANSWER, 'code')),
        ];
        execute(operation, objectClass, method, input, input.length, at, length, code);
        setFlags(operation, FAIL_OK);
      }
      const code = await rados.rados_read_op_operate(operation, io, object, 0);
      return { code, answers: memory.map(take) };
    } finally {
      release(operation);
      for (const each of memory) koffi.free(each);
    }
  };
}
