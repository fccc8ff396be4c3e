import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { ObjectLock } from '../object.ts';
import type { LifecycleRule } from '../s3/lifecycle-rules.ts';
import { coldnessOf } from '../storage-class.ts';
import { type Judged, judge, judgeUpload } from './judge.ts';
import { windowsOf } from './windows.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** A version of a key as the model has it, oldest first in a list. */
interface Version {
  readonly isMarker: boolean;
  readonly sizeBytes: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly atMs: number;
  readonly lock: ObjectLock | null;
  readonly storageClass?: string;
}

/** All versions of a key as the rules are shown them. */
function judgedOf(key: string, versions: readonly Version[]): Judged[] {
  return versions.map((version, index) => ({
    key,
    isLatest: index === versions.length - 1,
    isMarker: version.isMarker,
    sizeBytes: version.isMarker ? 0 : version.sizeBytes,
    tags: version.isMarker ? {} : version.tags,
    lock: version.lock,
    storageClass: version.storageClass ?? 'STANDARD',
    modifiedAtMs: version.atMs,
    noncurrentAtMs: versions[index + 1]?.atMs ?? null,
    newerNoncurrent: Math.max(0, versions.length - 2 - index),
    isOnly: versions.length === 1,
  }));
}

/** The calendar's midnight after so many days, step by step. */
function midnightAfter(fromMs: number, days: number): number {
  const date = new Date(fromMs);
  for (let day = 0; day < days; day++) date.setUTCDate(date.getUTCDate() + 1);
  do date.setTime(date.getTime() + 60_000 - (date.getTime() % 60_000));
  while (date.getUTCHours() !== 0 || date.getUTCMinutes() !== 0);
  return date.getTime();
}

/** Warmest first; `GONE` is named by rules, and there is none. */
const classes = [{ name: 'COOL' }, { name: 'COLD' }, { name: 'DEEP' }];

/** Slow and plain: whatever is due of the coldest class, looking from there to the warmest, while it is colder. */
function modelMove(
  rules: readonly LifecycleRule[],
  key: string,
  versions: readonly Version[],
  at: number,
  nowMs: number,
) {
  const version = versions[at]!;
  if (version.isMarker) return null;
  const next = versions[at + 1];
  for (const to of ['DEEP', 'COLD', 'COOL']) {
    if (to === version.storageClass) return null;
    for (const rule of rules.filter((one) => isIn(one, key, version))) {
      const moves =
        next === undefined
          ? (rule.transitions ?? []).map((one) => ({
              ...one,
              isDue: nowMs >= ('days' in one ? midnightAfter(version.atMs, one.days) : one.atMs),
            }))
          : (rule.noncurrentTransitions ?? []).map((one) => ({
              ...one,
              isDue:
                nowMs >= midnightAfter(next.atMs, one.days) &&
                versions.slice(at + 1, -1).length >= (one.versionsKept ?? 0),
            }));
      if (moves.some(({ isDue, storageClass }) => isDue && storageClass === to)) return `transition ${to} ${rule.id}`;
    }
  }
  return null;
}

/** Slow and plain: what the documentation says, version by version, with nothing worked out beforehand. */
function model(rules: readonly LifecycleRule[], key: string, versions: readonly Version[], at: number, nowMs: number) {
  const version = versions[at]!;
  const isKept = version.lock?.isLegalHold === true || (version.lock?.retention?.untilMs ?? 0) > nowMs;
  for (const rule of rules) {
    const { expiration, noncurrentExpiration: old } = rule;
    if (!isIn(rule, key, version)) continue;
    const isNewest = at === versions.length - 1;
    if (!isNewest && old !== undefined) {
      const isOld = nowMs >= midnightAfter(versions[at + 1]!.atMs, old.days);
      const newer = versions.slice(at + 1, -1).length;
      if (isOld && newer >= (old.versionsKept ?? 0)) {
        if (isKept) break;
        return `remove ${rule.id}`;
      }
    }
    if (!isNewest || expiration === undefined) continue;
    const isDue =
      'days' in expiration
        ? nowMs >= midnightAfter(version.atMs, expiration.days)
        : 'atMs' in expiration
          ? nowMs >= expiration.atMs
          : version.isMarker;
    if (isDue && !version.isMarker) return `expire ${rule.id}`;
    if (isDue && versions.length === 1) return isKept ? null : `remove ${rule.id}`;
  }
  return modelMove(rules, key, versions, at, nowMs);
}

function isIn({ isEnabled, filter }: LifecycleRule, key: string, version: Version): boolean {
  const hasNarrow = 'tags' in filter || 'sizeGreaterThan' in filter || 'sizeLessThan' in filter;
  return [
    isEnabled,
    key.indexOf(filter.prefix ?? '') === 0,
    !version.isMarker || !hasNarrow,
    version.isMarker || filter.sizeGreaterThan === undefined || version.sizeBytes > filter.sizeGreaterThan,
    version.isMarker || filter.sizeLessThan === undefined || version.sizeBytes < filter.sizeLessThan,
    ...Object.keys(filter.tags ?? {}).map((name) => filter.tags![name] === version.tags[name]),
  ].every(Boolean);
}

const tags = fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2'), { noNullPrototype: true });
const version = fc.record({
  isMarker: fc.boolean(),
  sizeBytes: fc.nat({ max: 6 }),
  tags,
  // On the hour, and a moment before and after it.
  atMs: fc.tuple(fc.nat({ max: 240 }), fc.integer({ min: -1, max: 1 })).map(([h, ms]) => 10 * dayMs + h * hourMs + ms),
  lock: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    fc.record({
      isLegalHold: fc.boolean(),
      retention: fc.option(
        fc.record({ mode: fc.constant('GOVERNANCE' as const), untilMs: fc.nat({ max: 30 * dayMs }) }),
      ),
    }),
  ),
  storageClass: fc.constantFrom('STANDARD', 'STANDARD', 'COOL', 'COLD', 'DEEP'),
});
const history = fc
  .array(version, { minLength: 1, maxLength: 6 })
  .map((all) => all.toSorted((one, other) => one.atMs - other.atMs));
const days = fc.integer({ min: 1, max: 6 });
const to = fc.constantFrom('COOL', 'COLD', 'DEEP', 'GONE');
const rule = fc.record(
  {
    isEnabled: fc.constantFrom(true, true, true, false),
    filter: fc.record(
      {
        prefix: fc.constantFrom('', 'k', 'key', 'other'),
        tags: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2'), {
          minKeys: 1,
          noNullPrototype: true,
        }),
        sizeGreaterThan: fc.nat({ max: 3 }),
        sizeLessThan: fc.integer({ min: 3, max: 6 }),
      },
      { requiredKeys: [], noNullPrototype: true },
    ),
    expiration: fc.oneof(
      days.map((count) => ({ days: count })),
      fc.nat({ max: 20 }).map((day) => ({ atMs: (day + 8) * dayMs })),
      fc.constant({ isMarkerOnly: true as const }),
    ),
    noncurrentExpiration: fc.record(
      { days, versionsKept: fc.integer({ min: 1, max: 3 }) },
      { requiredKeys: ['days'], noNullPrototype: true },
    ),
    transitions: fc.array(
      fc.oneof(
        fc.record({ days: fc.nat({ max: 5 }), storageClass: to }),
        fc.record({ atMs: fc.nat({ max: 20 }).map((day) => (day + 8) * dayMs), storageClass: to }),
      ),
      { maxLength: 3 },
    ),
    noncurrentTransitions: fc.array(
      fc.record(
        { days: fc.nat({ max: 5 }), versionsKept: fc.integer({ min: 1, max: 3 }), storageClass: to },
        { requiredKeys: ['days', 'storageClass'], noNullPrototype: true },
      ),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: ['isEnabled', 'filter'], noNullPrototype: true },
);
const rules = fc
  .array(rule, { maxLength: 4 })
  .map((all) => all.map((one, index): LifecycleRule => ({ ...one, id: `r${index}`, hasOwnPrefix: false }) as never));
const now = fc
  .tuple(fc.nat({ max: 500 }), fc.integer({ min: -1, max: 1 }))
  .map(([h, ms]) => 10 * dayMs + h * hourMs + ms);

describe('lifecycle rules', () => {
  test('demand what a slow reading of the documentation demands', () => {
    const demands = { expire: 0, remove: 0, transition: 0 };
    fc.assert(
      fc.property(rules, history, now, (some, versions, nowMs) => {
        for (const [index, judged] of judgedOf('key', versions).entries()) {
          const verdict = judge(some, judged, nowMs, classes);
          const moved = verdict?.action === 'transition' ? ` ${verdict.to}` : '';
          const told = verdict && `${verdict.action}${moved} ${verdict.ruleId}`;
          assert.equal(told, model(some, 'key', versions, index, nowMs));
          if (verdict !== null) demands[verdict.action]++;
        }
      }),
      { numRuns: 3_000 },
    );
    for (const [action, count] of Object.entries(demands))
      assert.ok(count > 20, `the property saw ${count} of ${action}`);
  });

  test('demand nothing of what lies outside of their windows', () => {
    fc.assert(
      fc.property(rules, history, now, (some, versions, nowMs) => {
        for (const judged of judgedOf('key', versions)) {
          if (judge(some, judged, nowMs, classes) === null) continue;
          const coldness = coldnessOf(classes, judged.storageClass);
          const windows = windowsOf(some, nowMs, (other) => coldnessOf(classes, other) > coldness);
          const { noncurrentAtMs, isMarker, modifiedAtMs } = judged;
          if (noncurrentAtMs !== null) assert.ok(noncurrentAtMs < windows.noncurrentBeforeMs!);
          else assert.ok(modifiedAtMs < (isMarker ? windows.markersBeforeMs! : windows.currentBeforeMs!));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('count days from the midnight after, as the documentation has it in its example', () => {
    const of = (text: string) => Date.parse(text);
    const expiring = { id: 'r', isEnabled: true, filter: {}, hasOwnPrefix: false, expiration: { days: 3 } };
    const [judged] = judgedOf('k', [
      { isMarker: false, sizeBytes: 1, tags: {}, lock: null, atMs: of('2014-01-15T10:30:00Z') },
    ]);
    assert.equal(judge([expiring], judged!, of('2014-01-18T23:59:59.999Z')), null);
    assert.deepEqual(judge([expiring], judged!, of('2014-01-19T00:00:00Z')), {
      action: 'expire',
      ruleId: 'r',
      newerNeeded: 0,
    });
  });

  test('end uploads by prefix and age, and never by a size that nobody knows', () => {
    const base = { isEnabled: true, hasOwnPrefix: false, abortUploadsAfterDays: 1 };
    const upload = { key: 'a/b', createdAtMs: 10 * dayMs };
    const ends = (filter: LifecycleRule['filter'], nowMs: number) =>
      judgeUpload([{ ...base, id: 'r', filter }], upload, nowMs);
    assert.equal(ends({ prefix: 'a/' }, 12 * dayMs - 1), null);
    assert.equal(ends({ prefix: 'a/' }, 12 * dayMs), 'r');
    assert.equal(ends({ prefix: 'b/' }, 12 * dayMs), null);
    assert.equal(ends({ sizeGreaterThan: 1 }, 12 * dayMs), null);
    assert.equal(judgeUpload([{ ...base, id: 'r', filter: {}, isEnabled: false }], upload, 12 * dayMs), null);
  });
});
