import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Conditions, checkRead, requireWritable } from './conditions.ts';
import { s3CodeOf } from './errors.ts';

const etags = fc.constantFrom('a', 'b', 'c');
const lists = fc.array(fc.oneof(etags, fc.constant('*')), { minLength: 1, maxLength: 3 });
/** Headers carry whole seconds. */
const times = fc.integer({ min: 0, max: 4 }).map((seconds) => seconds * 1000);
const conditions: fc.Arbitrary<Conditions> = fc.record(
  { ifMatch: lists, ifNoneMatch: lists, ifModifiedSinceMs: times, ifUnmodifiedSinceMs: times },
  { requiredKeys: [], noNullPrototype: true },
);
const current = fc.record({ etag: etags, modifiedAtMs: fc.integer({ min: 0, max: 4999 }) });

/** The steps of RFC 9110, 13.2.2, word for word. */
function byTheBook(given: Conditions, { etag, modifiedAtMs }: { etag: string; modifiedAtMs: number }) {
  const hasTag = (list: readonly string[]) => list.some((one) => one === '*' || one === etag);
  const seconds = Math.trunc(modifiedAtMs / 1000);
  if (given.ifMatch !== undefined && !hasTag(given.ifMatch)) return 'failed';
  const isTimeAsked = given.ifMatch === undefined && given.ifUnmodifiedSinceMs !== undefined;
  if (isTimeAsked && seconds > given.ifUnmodifiedSinceMs! / 1000) return 'failed';
  if (given.ifNoneMatch !== undefined) return hasTag(given.ifNoneMatch) ? 'not_modified' : 'ok';
  const isSinceAsked = given.ifModifiedSinceMs !== undefined;
  return isSinceAsked && seconds <= given.ifModifiedSinceMs! / 1000 ? 'not_modified' : 'ok';
}

function refusal(given: Conditions, standing: { etag: string; modifiedAtMs: number } | null): string {
  try {
    requireWritable(given, standing);
  } catch (error) {
    return s3CodeOf(error);
  }
  return 'ok';
}

describe('conditions', () => {
  test('of reads have the precedence of RFC 9110', () => {
    fc.assert(
      fc.property(conditions, current, (given, version) => {
        assert.equal(checkRead(given, version), byTheBook(given, version));
      }),
      { numRuns: 2_000 },
    );
  });

  test('compare times in whole seconds', () => {
    const version = { etag: 'a', modifiedAtMs: 5_999 };
    assert.equal(checkRead({ ifModifiedSinceMs: 5_000 }, version), 'not_modified');
    assert.equal(checkRead({ ifUnmodifiedSinceMs: 5_000 }, version), 'ok');
    assert.equal(checkRead({ ifModifiedSinceMs: 4_000 }, version), 'ok');
    assert.equal(checkRead({ ifUnmodifiedSinceMs: 4_000 }, version), 'failed');
  });

  test('of writes ask for what stands, and for nothing standing', () => {
    const standing = { etag: 'a', modifiedAtMs: 0 };
    assert.equal(refusal({}, null), 'ok');
    assert.equal(refusal({}, standing), 'ok');
    assert.equal(refusal({ ifNoneMatch: ['*'] }, null), 'ok');
    assert.equal(refusal({ ifNoneMatch: ['*'] }, standing), 'PreconditionFailed');
    assert.equal(refusal({ ifNoneMatch: ['b'] }, standing), 'ok');
    assert.equal(refusal({ ifNoneMatch: ['b', 'a'] }, standing), 'PreconditionFailed');
    assert.equal(refusal({ ifMatch: ['a'] }, standing), 'ok');
    assert.equal(refusal({ ifMatch: ['*'] }, standing), 'ok');
    assert.equal(refusal({ ifMatch: ['b'] }, standing), 'PreconditionFailed');
    assert.equal(refusal({ ifMatch: ['*'] }, null), 'NoSuchKey');
    assert.equal(refusal({ ifMatch: ['a'], ifNoneMatch: ['a'] }, standing), 'PreconditionFailed');
  });
});
