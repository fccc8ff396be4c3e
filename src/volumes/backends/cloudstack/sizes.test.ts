import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isKind } from '../conformance/suite.ts';
import { jobIdOf } from './job-id.ts';
import { GIB, toGib } from './sizes.ts';

describe('sizes', () => {
  it('of whole GiB are that many, exactly', () => {
    fc.assert(fc.property(fc.bigInt(1n, (1n << 33n) - 1n), (gib) => assert.equal(toGib(gib * GIB), String(gib))));
  });

  it('of anything else are refused, with the nearest ones, and never rounded', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 1n << 32n), fc.bigInt(1n, GIB - 1n), (gib, rest) => {
        const nearest = [gib * GIB, (gib + 1n) * GIB].filter((each) => each > 0n).map(String);
        assert.throws(() => toGib(gib * GIB + rest), isKind('invalid', { allowed_values: nearest }));
      }),
    );
    // One and a half GiB: rounded down, it would be too small for its data.
    assert.throws(() => toGib(1_610_612_736n), /1073741824 or 2147483648 bytes would be/);
    assert.throws(() => toGib(0n), isKind('invalid', { allowed_values: [String(GIB)] }));
    assert.throws(() => toGib(1n << 63n), isKind('invalid', { allowed_values: [] }));
  });
});

describe('ids of jobs', () => {
  it('are UUIDs, the same for the same facts, and others for others', () => {
    const fact = fc.oneof(fc.string(), fc.integer());
    const facts = fc.array(fact, { maxLength: 5 });
    fc.assert(
      fc.property(facts, facts, (some, others) => {
        const id = jobIdOf(...some);
        assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        assert.equal(jobIdOf(...some), id);
        assert.equal(jobIdOf(...others) === id, JSON.stringify(some) === JSON.stringify(others));
      }),
    );
    assert.notEqual(jobIdOf('a', 'bc'), jobIdOf('ab', 'c'));
  });
});
