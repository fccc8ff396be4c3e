import type { Clock, IdSource } from '../../kernel/ids.ts';
import { type Store, isStoreTrouble } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { type BucketSettings, copiesBeforeAck } from '../bucket.ts';
import { type BlobDescription, descriptionBytes } from '../content/description.ts';
import { type Encoding, draftForm, encodeBuffer } from '../content/encode-body.ts';
import { type ContentDigests, hashBuffer } from '../content/hasher.ts';
import { objectError } from '../errors.ts';
import type { IncomingContent } from '../gateway.ts';
import { claimRoom } from '../ledger/claim.ts';
import { type WrittenPart, joinCopy } from '../ledger/copies.ts';
import type { AbandonedWrite, WriteEnd } from '../ledger/intents.ts';
import { CapacityView } from './capacity.ts';
import { type Delivery, type WholeBody, deliver } from './deliver.ts';
import { Leftovers } from './leftovers.ts';

export interface ContentWriterOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly newId: IdSource;
  readonly clock: Clock;
  /** Under which this process's intents are known as those of somebody alive. */
  owner(): string;
  /** How long a slow backend holds up a write that others have taken. */
  readonly stallMs: number;
  onError(error: unknown, about: string): void;
}

/** What to write and for whom. */
export interface WriteTarget {
  readonly description: BlobDescription;
  readonly settings: BucketSettings;
  readonly encoding: Encoding;
}

/** What stands on backends and is not committed yet. */
export interface Written {
  readonly write: WriteEnd;
  readonly written: WrittenPart;
  readonly digests: ContentDigests;
  readonly copiesWanted: number;
}

/** What is known of a write before it is known where it goes. */
type WriteBytes = Omit<AbandonedWrite, 'backends'>;

/** How many sets of backends a content that can be read again is tried on. */
const attemptsMax = 3;

/**
 * Writes contents: intent first, then bytes, then the caller's commit. What fails is given up in the store, and what
 * cannot be given up now is given up later: by this process, or by the reaper when it has died.
 */
export class ContentWriter {
  readonly #options: ContentWriterOptions;
  readonly capacity: CapacityView;
  /** Writes that could not be given up in the store when they failed. */
  readonly leftovers: Leftovers;
  readonly #underWay = new Set<string>();
  readonly #late = new Set<Promise<void>>();

  constructor(options: ContentWriterOptions) {
    this.#options = options;
    this.capacity = new CapacityView(options.store, options.registry);
    this.leftovers = new Leftovers(options);
  }

  get underWayCount(): number {
    return this.#underWay.size;
  }

  /**
   * Writes a content and commits it. `commit` runs once enough copies stand for the bucket's durability; what it throws is
   * thrown, and the bytes are given up. Throws `InsufficientStorage`, `ServiceUnavailable`, and what the content throws.
   */
  async write<R>(incoming: IncomingContent, target: WriteTarget, commit: (written: Written) => Promise<R>): Promise<R> {
    const { content, sizeBytes } = incoming;
    if (Buffer.isBuffer(content) && content.length !== sizeBytes) throw objectError('IncompleteBody');
    // What is in one buffer is hashed before anything is claimed, so that a wrong content costs nothing.
    const whole = Buffer.isBuffer(content) ? await layDown(content, incoming, target) : null;
    const failed: string[] = [];
    for (let attempt = 1; ; attempt++) {
      const result = await this.#attempt({ incoming, whole }, target, commit, failed);
      if (result.isDone) return result.value;
      // What is in one buffer can be sent again; a stream is gone.
      failed.push(...result.failed);
      if (attempt === attemptsMax || !result.isRepeatable) throw result.error;
    }
  }

  /** Waits for copies that were still being written when their write was acknowledged. */
  async settle(): Promise<void> {
    await Promise.all(this.#late);
  }

  async #attempt<R>(
    given: { readonly incoming: IncomingContent; readonly whole: WholeBody | null },
    target: WriteTarget,
    commit: (written: Written) => Promise<R>,
    avoid: readonly string[],
  ): Promise<{ isDone: true; value: R } | { isDone: false; error: unknown; failed: string[]; isRepeatable: boolean }> {
    const { description, settings, encoding } = target;
    const writeId = this.#options.newId('w');
    const storageKey = `${description.bucket}/${writeId}`;
    const storedBytes = storedBytesOf(target, given.whole);
    const bytes = { writeId, storageKey, storedBytes };
    const needed = copiesBeforeAck(settings);
    this.#underWay.add(writeId);
    try {
      const backends = await this.#claim(bytes, target, needed, avoid);
      const delivery = deliver({ ...given, ...bytes, description, encoding, needed, ...this.#ways(backends) });
      let outcome;
      try {
        outcome = await delivery.enough;
      } catch (error) {
        await this.#giveUp(bytes, delivery);
        const isRepeatable = delivery.isRepeatable() && delivery.failed().length > 0;
        return { isDone: false, error, failed: delivery.failed(), isRepeatable };
      }
      const { contentId, part, sizeBytes } = description;
      const written = { contentId, part, sizeBytes, crc32: outcome.crc32, form: outcome.form };
      const write = { writeId, kept: delivery.kept(), failed: delivery.failed() };
      const value = await this.#commit(bytes, delivery, () =>
        commit({ write, written, digests: outcome, copiesWanted: settings.copies }),
      );
      this.#join(delivery, write, bytes, { written, copiesWanted: settings.copies });
      return { isDone: true, value };
    } finally {
      this.#underWay.delete(writeId);
    }
  }

  #ways(backends: readonly string[]) {
    const { registry, stallMs } = this.#options;
    return { stallMs, backends: backends.map((name) => ({ name, backend: registry.get(name)!.backend })) };
  }

  async #claim(
    bytes: WriteBytes,
    { description, settings }: WriteTarget,
    needed: number,
    avoid: readonly string[],
  ): Promise<string[]> {
    const { store, clock, owner } = this.#options;
    const { sizeBytes } = description;
    const { storedBytes } = bytes;
    const candidates = (await this.capacity.rank(settings, storedBytes)).filter((name) => !avoid.includes(name));
    if (candidates.length === 0)
      throw objectError('ServiceUnavailable', {}, 'No backend takes writes for this bucket now.');
    const claim = { ...bytes, sizeBytes, candidates, count: settings.copies, needed };
    const claiming = store.write(claimRoom, { ...claim, owner: owner(), nowMs: clock.nowMs() });
    const claimed = await this.leftovers.watchClaim(bytes, claiming);
    if (claimed.length >= needed) return claimed;
    const [code, count, what] =
      candidates.length < needed
        ? (['ServiceUnavailable', candidates.length, 'take writes now'] as const)
        : (['InsufficientStorage', claimed.length, `have room for ${sizeBytes} bytes`] as const);
    throw objectError(code, {}, `Only ${count} of the ${needed} backends that this write needs ${what}.`);
  }

  /** A commit that was refused gives the bytes up; one whose end is unknown leaves that for later. */
  async #commit<R>(bytes: WriteBytes, delivery: Delivery, commit: () => Promise<R>): Promise<R> {
    try {
      return await commit();
    } catch (error) {
      if (!isStoreTrouble(error)) await this.#giveUp(bytes, delivery);
      else {
        delivery.abort();
        this.leftovers.abandonLater({ ...bytes, backends: delivery.all() });
      }
      throw error;
    }
  }

  #giveUp(bytes: WriteBytes, delivery: Delivery): Promise<void> {
    delivery.abort();
    return this.leftovers.abandon({ ...bytes, backends: delivery.all() });
  }

  /** Enters the copies that were not finished when the write was acknowledged. */
  #join(
    delivery: Delivery,
    { writeId, kept, failed }: WriteEnd,
    bytes: WriteBytes,
    wish: { readonly written: WrittenPart; readonly copiesWanted: number },
  ): void {
    const { store, clock, onError } = this.#options;
    const late = delivery.all().filter((name) => !kept.includes(name) && !failed.includes(name));
    if (late.length === 0) return;
    this.#underWay.add(writeId);
    const notJoined = new Set(late);
    const joining = Promise.all(
      late.map(async (backend) => {
        if (!(await delivery.ended(backend))) return;
        const hasJoined = await store.write(joinCopy, { ...wish, writeId, backend, nowMs: clock.nowMs() });
        if (hasJoined) notJoined.delete(backend);
      }),
    )
      .catch((error: unknown) => onError(error, 'a late copy was not entered'))
      .then(() => this.leftovers.abandon({ ...bytes, backends: [...notJoined] }))
      .finally(() => {
        this.#underWay.delete(writeId);
        this.#late.delete(joining);
      });
    this.#late.add(joining);
  }
}

/** Hashes and lays down what is in one buffer: once, so that all copies are the same wherever they end up. */
async function layDown(content: Buffer, incoming: IncomingContent, target: WriteTarget): Promise<WholeBody> {
  const digests = hashBuffer(content, incoming);
  const { body, form } = await encodeBuffer(content, target.encoding, target.description);
  return { body, delivered: { ...digests, form } };
}

/** How many bytes a write takes on each backend; all of it is known before the first byte of a stream came. */
function storedBytesOf({ description, encoding }: WriteTarget, whole: WholeBody | null): number {
  const form = whole === null ? draftForm(encoding, description) : whole.delivered.form;
  const bodyBytes = form === null ? description.sizeBytes : form.bodyBytes;
  return bodyBytes + descriptionBytes(description, { form, key: encoding.key });
}
