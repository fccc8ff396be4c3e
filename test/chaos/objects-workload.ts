import { setTimeout as delay } from 'node:timers/promises';
import { type Acts, acknowledged, identity, isRefused } from './objects-acts.ts';
import type { Bodies, MadeBody } from './objects-bodies.ts';
import type { History, Place } from './objects-history.ts';
import type { KeyAction } from './objects-model.ts';
import type { SeededRandom } from './objects-random.ts';

export interface ChaosBucket {
  readonly name: string;
  readonly copies: number;
  readonly durability: 'one' | 'quorum' | 'all';
  readonly placement: 'pack' | 'spread';
  readonly isVersioned: boolean;
}

/** One, two and three copies, acknowledged at the first, at most or at all of them, with versions and without. */
export const chaosBuckets: readonly ChaosBucket[] = [
  { name: 'one-all', copies: 1, durability: 'all', placement: 'spread', isVersioned: false },
  { name: 'two-one', copies: 2, durability: 'one', placement: 'spread', isVersioned: false },
  { name: 'two-all', copies: 2, durability: 'all', placement: 'pack', isVersioned: false },
  { name: 'three-quorum', copies: 3, durability: 'quorum', placement: 'spread', isVersioned: false },
  { name: 'versions-one', copies: 1, durability: 'one', placement: 'pack', isVersioned: true },
  { name: 'versions-two', copies: 2, durability: 'one', placement: 'spread', isVersioned: true },
  { name: 'versions-three', copies: 3, durability: 'all', placement: 'spread', isVersioned: true },
];

const actions = {
  put: 26,
  read: 28,
  head: 5,
  readRange: 4,
  remove: 8,
  create: 4,
  replace: 5,
  copy: 9,
  tag: 5,
  readTags: 4,
  multipart: 3,
  removeVersion: 3,
  removeMany: 1,
  list: 2,
};
const keyNames = ['a', 'b//c+d e', 'ü&%', '~日本'];
/** After so many acts a client turns to new keys, so that what is left behind has to last. */
const actsPerEpoch = 40;
const partBytes = 5 * 1024 ** 2;
const partTriesMax = 6;
const partWaitMs = 200;
const upPollMs = 50;

export interface WorkloadOptions {
  readonly acts: Acts;
  readonly bodies: Bodies;
  readonly history: History;
  readonly random: SeededRandom;
  readonly signal: AbortSignal;
  /** Whether there is a gateway to ask. */
  isUp(): boolean;
}

/** One client that does things at random, one after another, until the storm is over. */
export class Worker {
  readonly #name: string;
  readonly #options: WorkloadOptions;

  constructor(name: string, options: WorkloadOptions) {
    this.#name = name;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { signal, random } = this.#options;
    for (let number = 1; !signal.aborted; number++) {
      const turn = new Turn(`${this.#name}.${number}`, number, random.fork(), this.#options);
      await turn.untilUp();
      if (!signal.aborted) await turn.act();
      await delay(random.below(25));
    }
  }
}

/** One thing that a client does. Its chance is its own: what answers come changes nothing of what is done after it. */
class Turn {
  readonly #name: string;
  readonly #epoch: number;
  readonly #random: SeededRandom;
  readonly #options: WorkloadOptions;
  #writes = 0;

  constructor(name: string, number: number, random: SeededRandom, options: WorkloadOptions) {
    this.#name = name;
    this.#epoch = Math.floor(number / actsPerEpoch);
    this.#random = random;
    this.#options = options;
  }

  /** Until there is a gateway to ask, or the storm is over. */
  async untilUp(): Promise<void> {
    const { signal, isUp } = this.#options;
    while (!isUp() && !signal.aborted) await delay(upPollMs);
  }

  async act(): Promise<void> {
    const { acts } = this.#options;
    const random = this.#random;
    const place = this.#anyPlace();
    switch (random.weighted(actions)) {
      case 'put':
        return acts.put(place, this.#wish());
      case 'read':
        return void (await acts.read(place));
      case 'head':
        return void (await acts.read(place, 'HEAD'));
      case 'readRange':
        return acts.readRange(place, random.next());
      case 'remove':
        return acts.remove(place, this.#newId());
      case 'create':
        return acts.put(place, { ...this.#wish(), condition: { ifNoneMatch: true } });
      case 'replace':
        return this.#replace(place);
      case 'copy': {
        const isRewritten = random.isChance(0.3);
        return acts.copy(place, this.#anyPlace(), { id: this.#newId(), tags: this.#tags(), isRewritten });
      }
      case 'tag':
        return acts.tag(place, `n=${random.below(1e6)}`);
      case 'readTags':
        return void (await acts.readTags(place));
      case 'multipart':
        return this.#multipart(place);
      case 'removeVersion':
        return this.#removeVersion(place);
      case 'removeMany':
        return acts.removeMany([place, this.#other(place)], [this.#newId(), this.#newId()]);
      case 'list':
        return void (await acts.send('list', { method: 'GET', bucket: place.bucket, query: 'list-type=2&max-keys=5' }));
    }
  }

  async #replace(place: Place): Promise<void> {
    const seen = await this.#options.acts.read(place, 'HEAD');
    if (seen == null) return;
    await this.#options.acts.put(place, { ...this.#wish(), condition: { ifMatch: seen.etag } });
  }

  async #removeVersion(place: Place): Promise<void> {
    const { acts, history } = this.#options;
    const known = [...history.at(place).versions.keys()].filter((id) => id !== 'null');
    if (known.length > 0) await acts.removeVersion(place, this.#random.pick(known));
  }

  /** Parts that may be uploaded twice, and an upload that is completed, given up or forgotten. */
  async #multipart(place: Place): Promise<void> {
    const { acts, bodies } = this.#options;
    const random = this.#random;
    const [id, tags] = [this.#newId(), this.#tags()];
    const headers = identity(id, tags);
    const created = await acts.send('createUpload', { method: 'POST', ...place, query: 'uploads', headers });
    const uploadId = /<UploadId>([^<]+)/.exec(acknowledged(created)?.body.toString() ?? '')?.[1];
    if (uploadId === undefined) return;
    const sizes = random.isChance(0.3) ? [partBytes, this.#smallSize()] : [this.#smallSize()];
    const parts: MadeBody[] = [];
    for (const [index, sizeBytes] of sizes.entries()) {
      const query = `partNumber=${index + 1}&uploadId=${uploadId}`;
      if (random.isChance(0.2)) await this.#part(place, query, bodies.make(`${id}.${index}.old`, sizeBytes, random));
      const body = bodies.make(`${id}.${index}`, sizeBytes, random);
      if (await this.#part(place, query, body)) parts.push(body);
    }
    const query = `uploadId=${uploadId}`;
    if (random.isChance(0.1)) return;
    if (parts.length < sizes.length || random.isChance(0.1)) {
      return void (await acts.send('abortUpload', { method: 'DELETE', ...place, query }));
    }
    const listed = parts.map(
      (part, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${part.etag}</ETag></Part>`,
    );
    const body = Buffer.from(`<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`);
    const action: KeyAction = { kind: 'put', id, etag: bodies.join(parts), tags };
    await acts.change(place, action, { method: 'POST', ...place, query, body });
  }

  async #part(place: Place, query: string, body: MadeBody): Promise<boolean> {
    for (let attempt = 0; attempt < partTriesMax; attempt++) {
      const outcome = await this.#options.acts.send('putPart', { method: 'PUT', ...place, query, body: body.bytes });
      if (acknowledged(outcome) !== null) return true;
      if (outcome.kind === 'answer' && isRefused(outcome)) return false;
      await delay(partWaitMs);
      await this.untilUp();
    }
    return false;
  }

  #wish() {
    const random = this.#random;
    const id = this.#newId();
    const body = this.#options.bodies.make(id, this.#size(), random);
    const hangUp = random.isChance(0.03) ? { hangUpAfterMs: random.below(60) } : {};
    return { id, body, tags: this.#tags(), ...hangUp };
  }

  #newId(): string {
    return `${this.#name}${'abc'.charAt(this.#writes++)}`;
  }

  #tags(): string {
    return this.#random.isChance(0.3) ? `n=${this.#random.below(1e6)}` : '';
  }

  /** Every size is met: none, within one chunk, around the border of what is held in memory, and long streams. */
  #size(): number {
    const random = this.#random;
    const kind = random.weighted({ empty: 6, tiny: 20, small: 48, middle: 22, large: 4 });
    const ends = { empty: 1, tiny: 100, small: 20_000, middle: 600_000, large: 6 * 1024 ** 2 };
    return random.below(ends[kind]);
  }

  #smallSize(): number {
    return 1 + this.#random.below(100_000);
  }

  #anyPlace(): Place {
    const { name } = this.#random.pick(chaosBuckets);
    return { bucket: name, key: this.#key(this.#random.below(keyNames.length)) };
  }

  #other({ bucket, key }: Place): Place {
    const index = keyNames.findIndex((name) => key.endsWith(`/${name}`));
    return { bucket, key: this.#key((index + 1) % keyNames.length) };
  }

  #key(index: number): string {
    return `e${this.#epoch}/${keyNames[index]!}`;
  }
}
