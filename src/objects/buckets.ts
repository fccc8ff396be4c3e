import type { Clock } from '../kernel/ids.ts';
import type { Store } from '../kernel/store/store.ts';
import type { Bucket, BucketSettings } from './bucket.ts';
import type { ObjectEncryption } from './encryption/encryption.ts';
import { objectError } from './errors.ts';
import type { Buckets } from './gateway.ts';
import { createBucket, deleteBucket, updateBucket } from './ledger/change-bucket.ts';
import { findBucket, listBuckets } from './queries/queries.ts';
import type { Outage } from '../kernel/store/outage.ts';

/** How long a bucket read from a shared store is told again; other gateways may change it meanwhile. */
const cacheMs = 1_000;
/** How long it is told while the store cannot be reached. */
const staleMsMax = 60_000;
const entriesMax = 10_000;
const updateAttemptsMax = 10;

/** Buckets in the store, with a small memory of them, since every request asks for one. */
export function createBuckets(store: Store, clock: Clock, outage: Outage, encryption: ObjectEncryption): Buckets {
  const cache = new Map<string, { readonly bucket: Bucket; readonly atMs: number }>();
  const remember = (bucket: Bucket) => {
    if (cache.size >= entriesMax) cache.clear();
    cache.set(bucket.name, { bucket, atMs: performance.now() });
  };
  /** All changes in this process pass through here; only those of other gateways are seen late. */
  const remembered = (name: string, ageMsMax: number): Bucket | null => {
    const found = cache.get(name);
    return found !== undefined && performance.now() - found.atMs < ageMsMax ? found.bucket : null;
  };
  const read = async (name: string): Promise<Bucket> => {
    const bucket = await store.read((reader) => findBucket(reader, name));
    if (bucket === null) {
      cache.delete(name);
      throw objectError('NoSuchBucket', { bucket: name });
    }
    remember(bucket);
    return bucket;
  };
  const get = async (name: string): Promise<Bucket> => {
    const known = remembered(name, cacheMs);
    if (known !== null) return known;
    const { value } = await outage.read(
      () => read(name),
      () => remembered(name, staleMsMax),
    );
    return value;
  };
  return {
    get,
    async create(name, owner, settings) {
      encryption.apply(undefined, settings);
      const bucket = await store.write(createBucket, { name, settings, actor: owner, nowMs: clock.nowMs() });
      remember(bucket);
      return bucket;
    },
    async list({ after = '', prefix = '', limit }) {
      return store.read((reader) => listBuckets(reader, { after, prefix, limit }));
    },
    update: (name, change, actor) => update(name, change, actor),
    async delete(name, actor) {
      cache.delete(name);
      await store.write(deleteBucket, { name, actor, nowMs: clock.nowMs() });
      cache.delete(name);
    },
  };

  async function update(name: string, change: (settings: BucketSettings) => BucketSettings, actor: string) {
    for (let attempt = 1; attempt <= updateAttemptsMax; attempt++) {
      cache.delete(name);
      const current = await get(name);
      const settings = change(current.settings);
      // A key that is not there is told now, and not to each write.
      if (settings.encryption !== current.settings.encryption) encryption.apply(undefined, settings);
      const { version } = current;
      const changed = changedNames(current.settings, settings);
      const params = { name, settings, changed, version, actor, nowMs: clock.nowMs() };
      const changedBucket = await store.write(updateBucket, params);
      if (changedBucket === null) continue;
      remember(changedBucket);
      return changedBucket;
    }
    throw objectError('OperationAborted');
  }
}

/** The names of settings that are others, in the order of names; all of them are plain data. */
function changedNames(before: BucketSettings, after: BucketSettings): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof BucketSettings>;
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name])).sort();
}
