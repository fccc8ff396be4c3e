import type { Store } from '../../kernel/store/store.ts';
import type { Versioning } from '../bucket.ts';
import { toBucket } from '../rows.ts';
import { type LifecycleRule, parseLifecycle } from '../s3/lifecycle-rules.ts';
import { parseXml } from '../s3/xml/reader.ts';
import { readStorageClasses } from '../ledger/storage-classes.ts';
import { type StorageClass, coldnessOf, standardClass } from '../storage-class.ts';
import type { BucketRow } from '../tables.ts';
import { type Candidate, type LifecyclePosition, type LifecycleSource, candidatesOf } from './due.ts';
import { type Verdict, judge } from './judge.ts';
import { windowsOf } from './windows.ts';

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
  /** Absent: `STANDARD`. */
  readonly storageClass?: string;
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

/** Whose rules are carried out. */
export interface Ruled {
  readonly buckets: readonly RuledBucket[];
  /** Those that there are, warmest first. */
  readonly classes: readonly StorageClass[];
}

const pageSize = 1_000;
const ruled = `select * from buckets where settings like '%"lifecycle"%' order by name`;

/**
 * Buckets with rules, in order of their names, and the storage classes. Rules that cannot be read are told, and nothing of
 * them is carried out: they were checked when they came.
 */
export async function readRules(store: Store, onError: (error: unknown, about: string) => void): Promise<Ruled> {
  const { rows, classes } = await store.read(async (reader) => ({
    rows: await reader.rows<BucketRow>(ruled, []),
    classes: await readStorageClasses(reader),
  }));
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
  return { buckets, classes };
}

/** Goes through all that rules may demand something of, page by page, from a position on. Reads only. */
export async function* passOver(
  store: Store,
  { buckets, classes }: Ruled,
  from: PassPosition | null,
  nowMs: number,
): AsyncGenerator<PassPage> {
  const places = buckets.flatMap((bucket) => placesIn(bucket, classes, nowMs));
  const begun = from === null ? -1 : rankOf(from, classes);
  const left = places.filter(
    ({ bucket: { name }, rank }) => from === null || name > from.bucket || (name === from.bucket && rank >= begun),
  );
  for (const [index, { bucket, source, storageClass, rank, beforeMs }] of left.entries()) {
    let after: LifecyclePosition | null = bucket.name === from?.bucket && rank === begun ? from.after : null;
    const following = left[index + 1];
    do {
      const page = { after, limit: pageSize };
      const { candidates, next } = await store.read((reader) =>
        candidatesOf(reader, source, { bucket: bucket.name, storageClass, beforeMs }, page),
      );
      after = next;
      const demands = candidates.flatMap((candidate) => {
        const verdict = judge(bucket.rules, candidate, nowMs, classes);
        return verdict === null ? [] : [{ candidate, verdict, isForGood: isForGood(bucket, candidate, verdict) }];
      });
      const position = next === null ? startOf(following) : { bucket: bucket.name, source, storageClass, after: next };
      yield { bucket, demands, position };
    } while (after !== null);
  }
}

/** A delete marker takes the place of the version without a name, and only hides others. */
function isForGood({ versioning }: RuledBucket, { versionId }: Candidate, { action }: Verdict): boolean {
  if (action === 'transition') return false;
  if (action === 'remove' || versioning === 'off') return true;
  return versioning === 'suspended' && versionId === 'null';
}

/** What is looked through for one bucket, in one go. */
interface Place {
  readonly bucket: RuledBucket;
  readonly source: LifecycleSource;
  readonly storageClass: string;
  readonly rank: number;
  readonly beforeMs: number;
}

/** Class by class, the warmest first, and markers last. */
function placesIn(bucket: RuledBucket, classes: readonly StorageClass[], nowMs: number): Place[] {
  const places: Place[] = [];
  const add = (source: LifecycleSource, storageClass: string, beforeMs: number | null) => {
    const rank = rankOf({ source, storageClass }, classes);
    if (beforeMs !== null) places.push({ bucket, source, storageClass, rank, beforeMs });
  };
  for (const storageClass of [standardClass, ...classes.map(({ name }) => name)]) {
    const coldness = coldnessOf(classes, storageClass);
    const windows = windowsOf(bucket.rules, nowMs, (to) => coldnessOf(classes, to) > coldness);
    add('current', storageClass, windows.currentBeforeMs);
    add('noncurrent', storageClass, windows.noncurrentBeforeMs);
  }
  add('markers', standardClass, windowsOf(bucket.rules, nowMs).markersBeforeMs);
  return places;
}

/** By which places in a bucket are in order, also when there are others than when a pass stopped. */
function rankOf(
  { source, storageClass = standardClass }: Pick<PassPosition, 'source' | 'storageClass'>,
  classes: readonly StorageClass[],
): number {
  if (source === 'markers') return Number.MAX_SAFE_INTEGER;
  return 2 * coldnessOf(classes, storageClass) + (source === 'current' ? 0 : 1);
}

function startOf(place: Place | undefined): PassPosition | null {
  if (place === undefined) return null;
  const { bucket, source, storageClass } = place;
  return { bucket: bucket.name, source, storageClass, after: null };
}
