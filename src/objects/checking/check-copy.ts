import { crc32 } from 'node:zlib';
import type { ObjectBackend } from '../backends/backend.ts';
import { chunksOf } from '../content/content.ts';
import { decodeDescription, descriptionEndBytesMax } from '../content/description.ts';
import { bodyOf } from '../content/form.ts';
import type { Copy } from '../object.ts';

/** What a look at the bytes of a copy found. What cannot be read is not called bad. */
export type CopyVerdict =
  | { readonly verdict: 'good' }
  | { readonly verdict: 'bad'; readonly reason: string }
  | { readonly verdict: 'unreadable'; readonly reason: string };

export interface CheckCopyOptions {
  readonly signal: AbortSignal;
  /** Waited for after each chunk: reading goes on at this pace. */
  readonly onBytes?: (bytes: number) => Promise<void>;
  /** Memory that the copy may be read into; the caller's again with the verdicts `good` and `bad`. */
  readonly into?: Buffer | undefined;
}

/**
 * Reads a copy whole and compares it with what was written: its length, the checksum of its body, for which no key is needed,
 * and the description behind it. Throws only the reason of `signal`.
 */
export async function checkCopy(
  backend: ObjectBackend,
  copy: Copy,
  { signal, onBytes, into }: CheckCopyOptions,
): Promise<CopyVerdict> {
  const passed = new PassedBlob(copy);
  try {
    const blob = await backend.get(copy.storageKey, null, signal, into);
    if (blob === null) return { verdict: 'bad', reason: 'it is not there' };
    try {
      for await (const chunk of chunksOf(blob.content)) {
        passed.add(chunk);
        await onBytes?.(chunk.length);
      }
    } finally {
      blob.cancel();
    }
  } catch (error) {
    signal.throwIfAborted();
    return { verdict: 'unreadable', reason: error instanceof Error ? error.message : String(error) };
  }
  const reason = passed.wrong();
  return reason === null ? { verdict: 'good' } : { verdict: 'bad', reason };
}

/** The check of one blob against the ledger's word of its copy. */
export class PassedBlob {
  readonly #copy: Copy;
  readonly #body: { readonly bytes: number; readonly crc32: number };
  #countBytes = 0;
  #sum = 0;
  #end: Buffer[] = [];

  constructor(copy: Copy) {
    this.#copy = copy;
    this.#body = bodyOf(copy);
  }

  add(chunk: Buffer): void {
    const own = Math.max(0, Math.min(chunk.length, this.#body.bytes - this.#countBytes));
    if (own > 0) this.#sum = crc32(chunk.subarray(0, own), this.#sum);
    this.#countBytes += chunk.length;
    const isWanted = this.#countBytes <= this.#body.bytes + descriptionEndBytesMax;
    // A copy, since the next chunk may come in the same memory.
    if (own < chunk.length && isWanted) this.#end.push(Buffer.from(chunk.subarray(own)));
  }

  /** Says what is wrong; `null` when nothing is. */
  wrong(): string | null {
    const { contentId, part, storedBytes } = this.#copy;
    if (this.#countBytes !== storedBytes) return `it has ${this.#countBytes} bytes, not ${storedBytes}`;
    if (this.#sum !== this.#body.crc32) return 'its checksum is wrong';
    // What was taken over as it stood has no description.
    if (storedBytes === this.#body.bytes) return null;
    const description = decodeDescription(Buffer.concat(this.#end));
    const isOurs = description?.contentId === contentId && description.part === part;
    return isOurs ? null : 'its description is damaged';
  }
}
