import type { Store } from '../../kernel/store/store.ts';
import { type BackendBytes, readBackendBytes } from '../backends/filling.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';

/** Room on backends by the books, with what a plan has put there; the claim of a write goes by the same limits. */
export class PlannedRoom {
  readonly #registry: Pick<ObjectBackendRegistry, 'get'>;
  readonly #books: ReadonlyMap<string, BackendBytes>;
  /** Bytes that were planned so far, by backend. */
  readonly planned = new Map<string, number>();

  constructor(registry: Pick<ObjectBackendRegistry, 'get'>, books: readonly BackendBytes[]) {
    this.#registry = registry;
    this.#books = new Map(books.map((one) => [one.name, one]));
  }

  /** Puts a blob on the first of candidates that has room for it. Gives which; `null` when none has. */
  take(
    candidates: readonly string[],
    { sizeBytes, storedBytes }: { readonly sizeBytes: number; readonly storedBytes: number },
  ): string | null {
    const name = candidates.find((candidate) => this.#hasRoom(candidate, sizeBytes, storedBytes));
    if (name === undefined) return null;
    this.planned.set(name, (this.planned.get(name) ?? 0) + storedBytes);
    return name;
  }

  #hasRoom(name: string, sizeBytes: number, storedBytes: number): boolean {
    const known = this.#registry.get(name);
    const book = this.#books.get(name);
    if (known?.state !== 'active' || book === undefined) return false;
    if (known.objectBytesMax !== null && sizeBytes > known.objectBytesMax) return false;
    const { totalBytes, usedBytes } = book;
    return totalBytes === null || usedBytes + (this.planned.get(name) ?? 0) + storedBytes <= totalBytes;
  }
}

export async function readPlannedRoom(
  store: Store,
  registry: Pick<ObjectBackendRegistry, 'get'>,
): Promise<PlannedRoom> {
  return new PlannedRoom(registry, await store.read(readBackendBytes));
}
