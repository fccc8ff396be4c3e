import { createHash } from 'node:crypto';
import { SeededRandom } from './objects-random.ts';

/** What is remembered of a body: enough to tell it from any other and to make it again, without its bytes. */
interface KnownBody {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly recipes: readonly Recipe[];
}

/** A stretch of the pool with the name of its write in it. */
interface Recipe {
  readonly id: string;
  readonly start: number;
  readonly sizeBytes: number;
}

/** A body to be sent. */
export interface MadeBody {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly recipe: Recipe;
}

const poolBytes = 8 * 1024 ** 2;
const hashBytes = 32;
const idBytes = 32;

/** Makes bodies that carry the hash of themselves and the name of their write, and knows all that it made. */
export class Bodies {
  readonly #pool: Buffer;
  readonly #byEtag = new Map<string, KnownBody>();
  readonly #inParts = new Map<string, string>();

  constructor(random: SeededRandom) {
    this.#pool = Buffer.alloc(poolBytes);
    for (let at = 0; at < poolBytes; at += 4) this.#pool.writeUInt32LE(random.below(2 ** 32), at);
  }

  /** A body of its own; known by its ETag from now on. */
  make(id: string, sizeBytes: number, random: SeededRandom): MadeBody {
    const recipe = { id, sizeBytes, start: random.below(poolBytes - sizeBytes + 1) };
    const bytes = this.#cook(recipe);
    return { bytes, recipe, etag: this.#remember(md5(bytes).toString('hex'), bytes, [recipe]) };
  }

  /** The ETag of an object that is made of these parts; known from now on. */
  join(parts: readonly MadeBody[]): string {
    const bytes = parts.map((part) => part.bytes);
    const etag = `${md5(Buffer.concat(bytes.map(md5))).toString('hex')}-${parts.length}`;
    const recipes = parts.map(({ recipe }) => recipe);
    const whole = Buffer.concat(bytes);
    // A copy that is written anew is written in one.
    this.#inParts.set(this.#remember(md5(whole).toString('hex'), whole, recipes), etag);
    return this.#remember(etag, whole, recipes);
  }

  /** The ETag under which the bytes of this one were written in parts. */
  inPartsOf(etag: string): string | null {
    return this.#inParts.get(etag) ?? null;
  }

  /** The bytes from `first` to `last` of a known body. */
  slice(etag: string, first: number, last: number): Buffer {
    return Buffer.concat(this.#byEtag.get(etag)!.recipes.map((recipe) => this.#cook(recipe))).subarray(first, last + 1);
  }

  /** What is wrong with a body that was given under an ETag; `null` when it is what was written, to the last byte. */
  fault(etag: string, body: Buffer): string | null {
    const known = this.#byEtag.get(etag);
    if (known === undefined) return `the ETag ${etag} belongs to nothing that was written`;
    if (known.sizeBytes !== body.length) return `${body.length} bytes came of ${known.sizeBytes}`;
    if (known.sha256 !== sha256(body).toString('hex'))
      return `the ${body.length} bytes that came are not those written`;
    if (known.recipes.length > 1 || body.length < hashBytes + idBytes) return null;
    return sha256(body.subarray(hashBytes)).equals(body.subarray(0, hashBytes)) ? null : 'its own hash is wrong';
  }

  sizeOf(etag: string): number | null {
    return this.#byEtag.get(etag)?.sizeBytes ?? null;
  }

  #cook({ id, start, sizeBytes }: Recipe): Buffer {
    const body = Buffer.from(this.#pool.subarray(start, start + sizeBytes));
    if (sizeBytes < hashBytes + idBytes) return body;
    body.write(id.padEnd(idBytes), hashBytes);
    sha256(body.subarray(hashBytes)).copy(body);
    return body;
  }

  #remember(etag: string, body: Buffer, recipes: readonly Recipe[]): string {
    this.#byEtag.set(etag, { sizeBytes: body.length, sha256: sha256(body).toString('hex'), recipes });
    return etag;
  }
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function md5(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest();
}
