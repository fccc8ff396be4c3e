import { type KeyAction, type KeyOperation, type KeyResult, unseenEtag } from './objects-model.ts';

/** A key of a bucket. */
export interface Place {
  readonly bucket: string;
  readonly key: string;
}

export interface KeyHistory {
  readonly place: Place;
  readonly operations: KeyOperation[];
  /** Versions by their ids of S3, of writes that were acknowledged: what a client can ask for. */
  readonly versions: Map<string, string>;
}

/** A copy whose answer did not come: what it wrote is known only once somebody reads it. */
interface OpenCopy {
  readonly id: string;
  readonly from: Place;
  readonly to: Place;
  readonly tags: string;
  readonly callAtMs: number;
}

const never = Number.POSITIVE_INFINITY;

/** All that was asked of the keys and what came of it, exactly; and what must never be seen. */
export class History {
  readonly #keys = new Map<string, KeyHistory>();
  readonly #openCopies: OpenCopy[] = [];
  /** Sentences on what no client may ever see. */
  readonly faults: string[] = [];
  /** How often each kind of request ended how. */
  readonly counts: Record<string, number> = {};

  at(place: Place): KeyHistory {
    const id = `${place.bucket}/${place.key}`;
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    const made = { place, operations: [], versions: new Map<string, string>() };
    this.#keys.set(id, made);
    return made;
  }

  get keys(): readonly KeyHistory[] {
    return [...this.#keys.values()];
  }

  get done(): number {
    return this.keys.reduce((sum, { operations }) => sum + operations.filter(isDone).length, 0);
  }

  count(kind: string, end: string): void {
    const name = `${kind} ${end}`;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  note(place: Place, action: KeyAction, result: KeyResult, callAtMs: number): void {
    const returnAtMs = result.kind === 'unknown' ? never : performance.now();
    this.at(place).operations.push({ action, result, callAtMs, returnAtMs });
  }

  noteOpenCopy(copy: OpenCopy): void {
    this.#openCopies.push(copy);
  }

  /** Enters the copies without an answer: each read its source before somebody first saw what it wrote. */
  closeCopies(inPartsOf: (etag: string) => string | null): void {
    for (const { id, from, to, tags, callAtMs } of this.#openCopies.splice(0)) {
      const seen = this.at(to).operations.filter((one) => sawId(one, id) !== null);
      const first = seen.toSorted((a, b) => a.returnAtMs - b.returnAtMs)[0];
      const etag = first === undefined ? unseenEtag : sawId(first, id)!;
      const put: KeyAction = { kind: 'put', id, etag, tags };
      this.at(to).operations.push({ action: put, result: { kind: 'unknown' }, callAtMs, returnAtMs: never });
      if (first === undefined) continue;
      const result: KeyResult = { kind: 'saw', version: { id: null, etag, orEtag: inPartsOf(etag) } };
      this.at(from).operations.push({ action: { kind: 'read' }, result, callAtMs, returnAtMs: first.returnAtMs });
    }
  }
}

function isDone({ result }: KeyOperation): boolean {
  return result.kind === 'done';
}

/** The ETag under which an operation saw a version of this id. */
function sawId({ result }: KeyOperation, id: string): string | null {
  return result.kind === 'saw' && result.version?.id === id ? result.version.etag : null;
}
