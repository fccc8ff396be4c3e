import type { Store } from '../../kernel/store/store.ts';
import type { Versioning } from '../bucket.ts';
import { toBucket } from '../rows.ts';
import { type LifecycleRule, parseLifecycle } from '../s3/lifecycle-rules.ts';
import { parseXml } from '../s3/xml/reader.ts';
import type { BucketRow } from '../tables.ts';
import { type Candidate, type LifecyclePosition, type LifecycleSource, candidatesOf, lifecycleSources } from './due.ts';
import { type Verdict, judge } from './judge.ts';
import { type Windows, windowsOf } from './windows.ts';

/** A bucket with rules that can be carried out. */
export interface RuledBucket {
  readonly name: string;
  readonly version: number;
  readonly versioning: Versioning;
  readonly rules: readonly LifecycleRule[];
}

/** Where a pass stopped, so that the next one goes on there. */
export interface PassPosition {
  readonly bucket: string;
  readonly source: LifecycleSource;
  readonly after: LifecyclePosition | null;
}

/** A version and what its bucket's rules demand of it. */
export interface Demand {
  readonly candidate: Candidate;
  readonly verdict: Verdict;
  /** Whether its bytes go, and not only out of sight. */
  readonly isForGood: boolean;
}

/** What one page held; `position` is where the next one begins, `null` when that was the last of all. */
export interface PassPage {
  readonly bucket: RuledBucket;
  readonly demands: readonly Demand[];
  readonly position: PassPosition | null;
}

const pageSize = 1_000;
const ruled = `select * from buckets where settings like '%"lifecycle"%' order by name`;

/**
 * Buckets with rules, in order of their names. Rules that cannot be read are told, and nothing of them is carried out: they
 * were checked when they came.
 */
export async function ruledBuckets(
  store: Store,
  onError: (error: unknown, about: string) => void,
): Promise<readonly RuledBucket[]> {
  const rows = await store.read((reader) => reader.rows<BucketRow>(ruled, []));
  const buckets: RuledBucket[] = [];
  for (const { name, version, settings } of rows.map(toBucket)) {
    if (settings.lifecycle === undefined) continue;
    try {
      const { versioning } = settings;
      buckets.push({ name, version, versioning, rules: parseLifecycle(parseXml(settings.lifecycle)) });
    } catch (error) {
      onError(error, `the lifecycle rules of bucket ${name} cannot be read`);
    }
  }
  return buckets;
}

/** Goes through all that rules may demand something of, page by page, from a position on. Reads only. */
export async function* passOver(
  store: Store,
  buckets: readonly RuledBucket[],
  from: PassPosition | null,
  nowMs: number,
): AsyncGenerator<PassPage> {
  const places = buckets.flatMap((bucket) => windowed(bucket, nowMs));
  const isBefore = (bucket: string, source: LifecycleSource) =>
    from !== null &&
    (bucket < from.bucket ||
      (bucket === from.bucket && lifecycleSources.indexOf(source) < lifecycleSources.indexOf(from.source)));
  const left = places.filter(({ bucket, source }) => !isBefore(bucket.name, source));
  for (const [index, { bucket, source, beforeMs }] of left.entries()) {
    const isBegun = from !== null && bucket.name === from.bucket && source === from.source;
    let after: LifecyclePosition | null = isBegun ? from.after : null;
    const following = left[index + 1];
    do {
      const page = { after, limit: pageSize };
      const { candidates, next } = await store.read((reader) =>
        candidatesOf(reader, source, { bucket: bucket.name, beforeMs }, page),
      );
      after = next;
      const demands = candidates.flatMap((candidate) => {
        const verdict = judge(bucket.rules, candidate, nowMs);
        return verdict === null ? [] : [{ candidate, verdict, isForGood: isForGood(bucket, candidate, verdict) }];
      });
      const elsewhere = following && { bucket: following.bucket.name, source: following.source, after: null };
      const position = next === null ? (elsewhere ?? null) : { bucket: bucket.name, source, after: next };
      yield { bucket, demands, position };
    } while (after !== null);
  }
}

/** A delete marker takes the place of the version without a name, and only hides others. */
function isForGood({ versioning }: RuledBucket, { versionId }: Candidate, { action }: Verdict): boolean {
  if (action === 'remove' || versioning === 'off') return true;
  return versioning === 'suspended' && versionId === 'null';
}

function windowed(bucket: RuledBucket, nowMs: number) {
  const windows = windowsOf(bucket.rules, nowMs);
  const ends: Readonly<Record<LifecycleSource, keyof Windows>> = {
    current: 'currentBeforeMs',
    noncurrent: 'noncurrentBeforeMs',
    markers: 'markersBeforeMs',
  };
  return lifecycleSources.flatMap((source) => {
    const beforeMs = windows[ends[source]];
    return beforeMs === null ? [] : [{ bucket, source, beforeMs }];
  });
}
