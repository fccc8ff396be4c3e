import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LentBuffers } from './lent-buffers.ts';

describe('memory that is lent', () => {
  it('is large enough, never lent to two at once, and lent again', () => {
    const step = fc.oneof(fc.integer({ min: 0, max: 300_000 }), fc.constant(null));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const memory = new LentBuffers();
        const out: Buffer[] = [];
        for (const sizeBytes of steps) {
          if (sizeBytes === null) {
            memory.giveBack(out.shift());
            continue;
          }
          const lent = memory.lend(sizeBytes);
          if (lent === undefined) continue;
          const isSmall = sizeBytes <= 262_144;
          assert.ok(isSmall ? lent.length >= sizeBytes && lent.length < 2 * sizeBytes : lent.length === 524_288);
          assert.ok(!out.includes(lent));
          out.push(lent);
        }
      }),
    );
    const memory = new LentBuffers();
    const first = memory.lend(65_800);
    memory.giveBack(first);
    assert.equal(memory.lend(70_000), first);
  });

  it('is no more than a bound while nobody has it', () => {
    const memory = new LentBuffers();
    const lent = Array.from({ length: 100 }, () => memory.lend(262_144));
    assert.equal(new Set(lent).size, 100);
    for (const one of lent) memory.giveBack(one);
    const again = Array.from({ length: 100 }, () => memory.lend(262_144));
    assert.equal(again.filter((one) => lent.includes(one)).length, 64);
  });

  it('is not lent for what is tiny', () => {
    const memory = new LentBuffers();
    for (const sizeBytes of [0, 4_096]) assert.equal(memory.lend(sizeBytes), undefined);
  });
});
