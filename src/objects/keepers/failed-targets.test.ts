import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FailedTargets } from './failed-targets.ts';

it('failure 25: a target that failed for a content is tried last, and one that fails for all contents after those that do not', () => {
  const targets = new FailedTargets();
  let failed: readonly string[] = [];
  for (const name of ['a', 'b', 'a']) failed = targets.noteFailure(name, failed);
  assert.deepEqual(targets.order(['a', 'b', 'c'], failed), ['c', 'b', 'a']);
  assert.deepEqual(targets.order(['a', 'b', 'c'], []), ['a', 'b', 'c']);
  targets.noteFailure('a', []);
  assert.deepEqual(targets.order(['a', 'b', 'c'], []), ['b', 'c', 'a']);
  targets.noteSuccess('a');
  assert.deepEqual(targets.order(['a', 'b', 'c'], []), ['a', 'b', 'c']);
});

it('the memory of a content is bounded, and keeps the latest', () => {
  const targets = new FailedTargets();
  let failed: readonly string[] = [];
  for (let index = 0; index < 100; index++) failed = targets.noteFailure(`m${index}`, failed);
  assert.equal(failed.length, 20);
  assert.equal(failed.at(-1), 'm99');
});
