import koffi, { type LibraryHandle } from 'koffi';
import { ERANGE, check } from './errno.ts';
import type { NativeCalls } from './native-calls.ts';
import {
  type InOut,
  type Pointer,
  RADOS_SIGNATURES,
  RBD_SIGNATURES,
  type RadosCalls,
  type RbdCalls,
  STRUCTS,
} from './signatures.ts';
import { type ReadByClass, readOperations } from './read-operation.ts';
import { type ExecuteIf, writeOperations } from './write-operation.ts';

/** Options of `rbd_image_options_set_uint64`, by their numbers in `librbd.h`. */
export const IMAGE_OPTION = { order: 2, cloneFormat: 12 } as const;
export type ImageOptions = Partial<Record<keyof typeof IMAGE_OPTION, bigint>>;

const LIST_FIRST_CAPACITY = 64;
const LIST_MAX_TRIES = 8;

/**
 * The two libraries, bound. Each call runs on a thread of libuv's pool and resolves to the C return code; only one
 * process in the system, the adapter's child, may load this file.
 */
export interface Librbd {
  readonly rados: RadosCalls;
  readonly rbd: RbdCalls;
  /** Reads a C list of `struct`s, growing the room for it while the call answers ERANGE. */
  readList(struct: string, cleanup: ListCleanup, call: ListCall, action: string): Promise<unknown[]>;
  /** Lends zeroed memory for the named structs, then frees it. */
  withStructs<T>(structs: readonly string[], use: (pointers: readonly Pointer[]) => Promise<T>): Promise<T>;
  decode(pointer: Pointer, struct: string): unknown;
  /** Reads a C string that the library allocated. */
  text(pointer: Pointer): string;
  withImageOptions<T>(options: ImageOptions, use: (pointer: Pointer) => Promise<T>): Promise<T>;
  readonly executeIf: ExecuteIf;
  readonly readByClass: ReadByClass;
}

export type ListCall = (list: Pointer, count: InOut) => Promise<number>;
export type ListCleanup =
  | 'rbd_image_spec_list_cleanup'
  | 'rbd_linked_image_spec_list_cleanup'
  | 'rbd_watchers_list_cleanup'
  | 'rbd_trash_list_cleanup'
  | 'rbd_snap_list_end';

/**
 * Loads and binds librados and librbd.
 *
 * @throws Error from the dynamic linker when a library or one of the functions is missing.
 */
export function loadLibrbd(calls: NativeCalls): Librbd {
  koffi.config({ async_stack_size: 1 << 20, async_heap_size: 1 << 18, max_async_calls: 4096 });
  const radosLibrary = koffi.load('librados.so.2');
  const rbdLibrary = koffi.load('librbd.so.1');
  for (const [name, fields] of Object.entries(STRUCTS)) koffi.struct(name, { ...fields });
  // The keys of the signature tables are exactly the members of the interfaces, which the compiler has checked.
  const rados = bind(radosLibrary, RADOS_SIGNATURES, calls) as unknown as RadosCalls;
  return {
    rados,
    rbd: bind(rbdLibrary, RBD_SIGNATURES, calls) as unknown as RbdCalls,
    readList: listReader(rbdLibrary),
    withStructs,
    decode: (pointer, struct) => koffi.decode(pointer, struct) as unknown,
    text: (pointer) => koffi.decode.string(pointer),
    withImageOptions: optionsLender(rbdLibrary),
    executeIf: writeOperations(radosLibrary, rados),
    readByClass: readOperations(radosLibrary, rados),
  };
}

type NativeCall = (...args: readonly unknown[]) => Promise<unknown>;

function bind(library: LibraryHandle, signatures: Readonly<Record<string, string>>, calls: NativeCalls) {
  const bound: Record<string, NativeCall> = {};
  for (const [name, signature] of Object.entries(signatures)) {
    const native = library.func(signature);
    bound[name] = (...args) => calls.track(name, () => callAsync(native, args));
  }
  return bound;
}

function callAsync(native: ReturnType<LibraryHandle['func']>, args: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    native.async(...args, (error: Error | null, result: unknown) => (error ? reject(error) : resolve(result)));
  });
}

function listReader(library: LibraryHandle): Librbd['readList'] {
  const cleanups: Record<ListCleanup, (list: Pointer, count: number) => void> = {
    rbd_image_spec_list_cleanup: library.func('void rbd_image_spec_list_cleanup(void *list, size_t count)'),
    rbd_linked_image_spec_list_cleanup: library.func(
      'void rbd_linked_image_spec_list_cleanup(void *list, size_t count)',
    ),
    rbd_watchers_list_cleanup: library.func('void rbd_watchers_list_cleanup(void *list, size_t count)'),
    rbd_trash_list_cleanup: library.func('void rbd_trash_list_cleanup(void *list, size_t count)'),
    rbd_snap_list_end: library.func('void rbd_snap_list_end(void *list)'),
  };
  return async (struct, cleanup, call, action) => {
    let capacity = LIST_FIRST_CAPACITY;
    for (let attempt = 0; attempt < LIST_MAX_TRIES; attempt++) {
      const list = koffi.alloc(struct, capacity) as Pointer;
      const count: InOut = [capacity];
      try {
        const code = await call(list, count);
        if (code === -ERANGE) {
          // The list may grow between two calls, so ask for more room than it has just named.
          capacity = Math.max(capacity, Number(count[0])) + LIST_FIRST_CAPACITY;
          continue;
        }
        check(code, action);
        // Most calls put the number of entries into `count`; `rbd_snap_list` returns it and leaves `count` alone.
        const length = cleanup === 'rbd_snap_list_end' ? code : Number(count[0]);
        if (length === 0) return [];
        const entries = koffi.decode(list, koffi.array(struct, length)) as unknown[];
        if (cleanup === 'rbd_snap_list_end') cleanups.rbd_snap_list_end(list, length);
        else cleanups[cleanup](list, length);
        return entries;
      } finally {
        koffi.free(list);
      }
    }
    throw new Error(`${action}: the list grew faster than it could be read`);
  };
}

async function withStructs<T>(
  structs: readonly string[],
  use: (pointers: readonly Pointer[]) => Promise<T>,
): Promise<T> {
  const pointers = structs.map((struct) => koffi.alloc(struct, 1) as Pointer);
  try {
    return await use(pointers);
  } finally {
    for (const pointer of pointers) koffi.free(pointer);
  }
}

function optionsLender(library: LibraryHandle): Librbd['withImageOptions'] {
  const create = library.func('void rbd_image_options_create(_Out_ void **options)');
  const set = library.func('int rbd_image_options_set_uint64(void *options, int option, uint64_t value)');
  const destroy = library.func('void rbd_image_options_destroy(void *options)');
  return async (options, use) => {
    const out: [Pointer | null] = [null];
    create(out);
    const pointer = out[0];
    if (pointer === null) throw new Error('rbd_image_options_create returned no options');
    try {
      for (const [name, value] of Object.entries(options)) {
        const option = IMAGE_OPTION[name as keyof typeof IMAGE_OPTION];
        check(set(pointer, option, value) as number, `setting image option ${name}`);
      }
      return await use(pointer);
    } finally {
      destroy(pointer);
    }
  };
}
