import { toErrorData } from '../../src/kernel/errors/errors.ts';
import { chunksOf } from '../../src/objects/content/content.ts';
import { s3CodeOf } from '../../src/objects/errors.ts';
import type { ObjectVersion } from '../../src/objects/object.ts';
import { copy, put, remove } from '../objects/acts.ts';
import type { Lab } from '../objects/lab.ts';
import { bodyId, bodyOf, inChunks } from './kept-bodies.ts';
import { type Entry, KeyModel } from './kept-model.ts';
import { type KeptWorld, expiringPrefix, keptBuckets } from './kept-world.ts';
import type { SeededRandom } from './objects-random.ts';

const keyNames = ['a', 'c/d'];
const partBytesMin = 5 * 1024 ** 2;
const readTimeoutMs = 30_000;

/** A key and what is known of it. */
export interface KeptKey {
  readonly bucket: string;
  readonly key: string;
  readonly isVersioned: boolean;
  readonly model: KeyModel;
}

/** Works on keys that are its own, one request after the other, so that it knows what may stand under each of them. */
export class KeptClient {
  readonly keys: readonly KeptKey[];
  readonly #world: KeptWorld;
  readonly #random: SeededRandom;
  readonly #name: string;
  #writes = 0;

  constructor(name: string, world: KeptWorld, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.#name = name;
    this.keys = keptBuckets.flatMap(({ name: bucket, isVersioned }) =>
      [`${name}/`, `${expiringPrefix}${name}/`].flatMap((prefix) =>
        keyNames.map((key) => {
          const isExpiring = prefix.startsWith(expiringPrefix);
          return { bucket, key: `${prefix}${key}`, isVersioned, model: new KeyModel({ isVersioned, isExpiring }) };
        }),
      ),
    );
  }

  async run(requests: number): Promise<void> {
    for (let request = 0; request < requests; request++) await this.#request();
  }

  async #request(): Promise<void> {
    const random = this.#random;
    const at = random.pick(this.keys);
    const { lab } = random.pick(this.#world.gateways);
    const kind = random.weighted({ put: 8, read: 8, range: 3, remove: 2, version: 3, copy: 3, upload: 2 });
    if (kind === 'put') await this.#put(lab, at);
    else if (kind === 'read') await this.#read(lab, at);
    else if (kind === 'range') await this.#range(lab, at);
    else if (kind === 'remove') await this.#remove(lab, at);
    else if (kind === 'version') await this.#version(lab, at);
    else if (kind === 'copy') await this.#copy(lab, at);
    else await this.#upload(lab, at);
  }

  async #put(lab: Lab, at: KeptKey): Promise<void> {
    const id = this.#newId(this.#size());
    const bytes = bodyOf(id);
    const content = this.#random.isChance(0.4) ? inChunks(bytes) : bytes;
    await this.#write('put', at, id, () =>
      put(lab, at.bucket, at.key, content, { sizeBytes: bytes.length, attributes: attributesOf(id) }),
    );
  }

  async #copy(lab: Lab, at: KeptKey): Promise<void> {
    const id = await this.#read(lab, at, 'HEAD');
    if (id == null) return;
    const target = this.#random.pick(this.keys);
    if (target === at) return;
    const outcome = await this.#write('copy', target, id, () =>
      copy(lab, [at.bucket, at.key], [target.bucket, target.key]),
    );
    // It may have expired since it was looked at.
    if (outcome === 'not_found' && !at.key.startsWith(expiringPrefix)) this.#fault(at, 'its copy found nothing');
  }

  async #upload(lab: Lab, at: KeptKey): Promise<void> {
    const { uploads } = lab.gateway;
    const isLarge = this.#random.isChance(0.05);
    const id = this.#newId(isLarge ? partBytesMin + 1_000 : this.#size());
    const bytes = bodyOf(id);
    const wish = { bucket: at.bucket, key: at.key, attributes: attributesOf(id), tags: {}, lock: null, checksum: null };
    const ended = await this.#try('create', () => uploads.create({ ...wish, owner: 'chaos' }));
    if ('error' in ended) return;
    const upload = ended.done;
    const pieces = isLarge ? [bytes.subarray(0, partBytesMin), bytes.subarray(partBytesMin)] : [bytes];
    const parts: { part: number; etag: string }[] = [];
    for (const [index, content] of pieces.entries()) {
      const part = await this.#try('part', () =>
        uploads.putPart(
          upload,
          index + 1,
          { content, sizeBytes: content.length, signal: AbortSignal.timeout(readTimeoutMs) },
          'chaos',
        ),
      );
      if ('error' in part || this.#random.isChance(0.1)) {
        // One that cannot be given up now is given up by the keeper.
        await this.#try('abort', () => uploads.abort(upload, 'chaos'));
        return;
      }
      parts.push({ part: index + 1, etag: part.done.etag });
    }
    const { uploadId } = upload;
    await this.#write('complete', at, id, () =>
      uploads.complete({ bucket: at.bucket, key: at.key, uploadId, parts, conditions: {}, actor: 'chaos' }),
    );
  }

  async #remove(lab: Lab, at: KeptKey): Promise<void> {
    const ended = await this.#try('remove', () => remove(lab, at.bucket, at.key));
    at.model.removed('error' in ended ? null : (ended.done.versionId ?? 'gone'));
  }

  /** Reads or removes a version that was acknowledged. */
  async #version(lab: Lab, at: KeptKey): Promise<void> {
    if (!at.isVersioned) return void (await this.#read(lab, at));
    const entries = at.model.entries.filter(({ versionId, mayBeGone }) => versionId !== null && !mayBeGone);
    if (entries.length === 0) return;
    const entry = this.#random.pick(entries);
    if (entry.id !== null && !at.key.startsWith(expiringPrefix) && this.#random.isChance(0.3)) {
      return this.#readVersion(lab, at, entry);
    }
    const ended = await this.#try('removeVersion', () => remove(lab, at.bucket, at.key, entry.versionId!));
    at.model.removedVersion(entry, !('error' in ended));
  }

  async #readVersion(lab: Lab, { bucket, key }: KeptKey, { id, versionId }: Entry): Promise<void> {
    const ended = await this.#try('readVersion', () => this.#open(lab, { bucket, key, versionId: versionId! }));
    if ('error' in ended) {
      if (ended.error === 'not_found') this.#world.faults.push(`version ${versionId} of ${bucket}/${key} is not found`);
    } else this.#compare({ bucket, key }, ended.done.version, ended.done.bytes, id);
  }

  /** Gives the write that stands there, `undefined` when that is not known. */
  async #read(lab: Lab, at: KeptKey, method: 'GET' | 'HEAD' = 'GET'): Promise<string | null | undefined> {
    const { bucket, key } = at;
    const ended = await this.#try(method === 'GET' ? 'read' : 'head', async () => {
      if (method === 'GET') return this.#open(lab, { bucket, key });
      const { version, isStale } = await lab.gateway.objects.find({ bucket, key });
      return { version, isStale, bytes: null };
    });
    if ('error' in ended) {
      if (ended.error !== 'not_found') return undefined;
      return this.#saw(at, null);
    }
    const { version, isStale, bytes } = ended.done;
    // Told from memory while the store is away: right bytes, but maybe not the newest.
    if (isStale) return undefined;
    if (version.isMarker) return this.#saw(at, null);
    const id = idOf(version);
    if (bytes !== null) this.#compare(at, version, bytes, id);
    return this.#saw(at, id);
  }

  async #range(lab: Lab, at: KeptKey): Promise<void> {
    const { bucket, key } = at;
    const [from, to] = [this.#random.next(), this.#random.next()];
    const slice = (size: number) => {
      const offset = Math.floor(size * from);
      return { offset, length: Math.max(1, Math.floor((size - offset) * to)) };
    };
    const ended = await this.#try('range', () =>
      this.#open(lab, { bucket, key }, ({ sizeBytes }) => (sizeBytes === 0 ? null : slice(sizeBytes))),
    );
    if ('error' in ended || ended.done.isStale) return;
    const { version, bytes, range } = ended.done;
    if (range === null) return;
    const wanted = bodyOf(idOf(version)).subarray(range.offset, range.offset + range.length);
    if (bytes.length !== wanted.length) this.#fault(at, `a range of ${wanted.length} bytes has ${bytes.length}`);
    else if (!bytes.equals(wanted)) this.#fault(at, `a range of ${idOf(version)} has wrong bytes`);
  }

  async #open(
    { gateway }: Lab,
    ref: { readonly bucket: string; readonly key: string; readonly versionId?: string },
    range: (version: ObjectVersion) => { offset: number; length: number } | null = () => null,
  ) {
    const signal = AbortSignal.timeout(readTimeoutMs);
    const open = await gateway.objects.open({ ...ref, range, signal });
    const chunks: Buffer[] = [];
    for await (const chunk of chunksOf(open.content)) chunks.push(chunk);
    return { version: open.version, isStale: open.isStale, range: open.range, bytes: Buffer.concat(chunks) };
  }

  /** Makes a version and enters what came of it; gives the kind of the error, `null` for none. */
  async #write(kind: string, at: KeptKey, id: string, write: () => Promise<ObjectVersion>): Promise<string | null> {
    const ended = await this.#try(kind, write);
    if (!('error' in ended)) {
      at.model.written(id, ended.done.versionId);
      return null;
    }
    // What had no room, or no source, was surely not written.
    if (ended.code !== 'InsufficientStorage' && ended.error !== 'not_found') at.model.written(id, null);
    return ended.error;
  }

  async #try<R>(
    kind: string,
    work: () => Promise<R>,
  ): Promise<{ readonly done: R } | { readonly error: string; readonly code: string | null }> {
    try {
      const done = await work();
      this.#world.count(`${kind}: done`);
      return { done };
    } catch (error) {
      const { kind: end, message } = toErrorData(error);
      const code = s3CodeOf(error);
      this.#world.count(`${kind}: ${end}`);
      const isUnexpected = ['invalid', 'internal', 'forbidden', 'unsupported', 'unauthorized'].includes(end);
      if (isUnexpected) this.#world.faults.push(`${this.#name}: ${kind} ended with ${code ?? end}: ${message}`);
      return { error: end, code };
    }
  }

  #saw(at: KeptKey, id: string | null): string | null {
    const fault = at.model.saw(id);
    if (fault !== null) this.#fault(at, fault);
    return id;
  }

  #compare(at: { bucket: string; key: string }, version: ObjectVersion, bytes: Buffer, id: string | null): void {
    if (idOf(version) !== id) this.#fault(at, `${idOf(version)} was read in the place of ${id}`);
    else if (!bytes.equals(bodyOf(id))) this.#fault(at, `wrong bytes of ${id} were served`);
  }

  #fault({ bucket, key }: { readonly bucket: string; readonly key: string }, sentence: string): void {
    this.#world.faults.push(`${bucket}/${key}: ${sentence}`);
  }

  #newId(sizeBytes: number): string {
    return bodyId(`${this.#name}-${this.#writes++}`, sizeBytes, this.#random.isChance(0.5));
  }

  #size(): number {
    const kind = this.#random.weighted({ empty: 4, tiny: 20, small: 60, middle: 12, large: 4 });
    const ends = { empty: 1, tiny: 100, small: 5_000, middle: 100_000, large: 600_000 };
    return this.#random.below(ends[kind]);
  }
}

function attributesOf(id: string) {
  return { contentType: 'text/plain', headers: {}, metadata: { id } };
}

/** The write that made a version. */
export function idOf({ attributes }: ObjectVersion): string {
  return attributes.metadata['id'] ?? '';
}
