import type { BlobFacts, ObjectBackend } from '../../src/objects/backends/backend.ts';
import { filledBuckets, filledStoredBytes, filledStorageKey } from './fill-ledger.ts';

/** A backend that lists what `fillLedger` entered, though nothing of it is there; all else is the real one's. */
export function listedBackend(real: ObjectBackend, versions: number): ObjectBackend {
  return new Proxy(real, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== 'list') return typeof value === 'function' ? value.bind(target) : value;
      return async (...[page, signal]: Parameters<ObjectBackend['list']>) => {
        if (page.prefix !== '') return target.list(page, signal);
        const from = page.after === undefined ? 0 : rankOf(page.after, versions) + 1;
        const blobs: BlobFacts[] = [];
        for (let rank = from; rank < versions && blobs.length < page.limit; rank++) {
          blobs.push({ key: keyOf(rank, versions), sizeBytes: filledStoredBytes, modifiedAtMs: 0 });
        }
        return { blobs, isTruncated: from + blobs.length < versions };
      };
    },
  });
}

/** The storage key at a place in byte order: bucket by bucket, and in each by number. */
function keyOf(rank: number, versions: number): string {
  const each = versions / filledBuckets;
  return filledStorageKey(Math.floor(rank / each) + (rank % each) * filledBuckets);
}

function rankOf(key: string, versions: number): number {
  const [bucket = '', name = ''] = key.split('/');
  const each = versions / filledBuckets;
  return Number(bucket.slice(1)) * each + Math.floor(Number(name.slice(2)) / filledBuckets);
}
