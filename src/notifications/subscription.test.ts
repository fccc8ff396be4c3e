import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../kernel/events/event.ts';
import { isWanted, typePattern } from './subscription.ts';

const word = fc.stringMatching(/^[a-z_]{1,6}$/);
const type = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join('.'));
const resource = fc.tuple(word, fc.string({ maxLength: 8 })).map(([kind, name]) => `${kind}:${name}`);
const event = fc
  .record({ type, resource })
  .map((some): Event => ({ id: 1, seq: 1, data: {}, operationId: null, actor: 'a', createdAtMs: 0, ...some }));

test('a type is wanted exactly, or up to the star at its end', () => {
  fc.assert(
    fc.property(event, type, fc.nat({ max: 30 }), (one, other, length) => {
      const wants = (wanted: string) => isWanted({ types: [wanted], resources: [] }, one);
      assert.equal(wants(one.type), true);
      assert.equal(wants(other), other === one.type);
      assert.equal(wants(`${one.type.slice(0, length)}*`), true);
      assert.equal(wants(`${other}*`), one.type.startsWith(other));
      assert.equal(wants('*'), true);
      assert.match(`${other}*`, new RegExp(typePattern));
    }),
  );
});

test('a resource is wanted by its beginning; none named is all', () => {
  fc.assert(
    fc.property(event, fc.array(resource, { maxLength: 3 }), fc.nat({ max: 20 }), (one, resources, length) => {
      const wants = (some: readonly string[]) => isWanted({ types: ['*'], resources: some }, one);
      assert.equal(wants([]), true);
      assert.equal(wants([...resources, one.resource.slice(0, length)]), true);
      if (resources.length > 0) {
        assert.equal(
          wants(resources),
          resources.some((prefix) => one.resource.startsWith(prefix)),
        );
      }
    }),
  );
});

test('type and resource must both be wanted', () => {
  fc.assert(
    fc.property(event, fc.array(type, { minLength: 1 }), fc.array(resource), (one, types, resources) => {
      const both = isWanted({ types, resources }, one);
      assert.equal(both, isWanted({ types, resources: [] }, one) && isWanted({ types: ['*'], resources }, one));
    }),
  );
});

test('a star stands at the end only', () => {
  for (const text of ['a*b', '*a', '**', '', 'A', 'a b']) assert.doesNotMatch(text, new RegExp(typePattern), text);
});
