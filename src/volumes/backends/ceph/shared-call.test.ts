import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedCall } from './shared-call.ts';

test('shares a call among those who ask before it begins, and never one that is under way', async () => {
  const open: { resolve(value: number): void; reject(error: Error): void }[] = [];
  const shared = new SharedCall(() => new Promise<number>((resolve, reject) => open.push({ resolve, reject })));
  const first = [shared.run(), shared.run()];
  await Promise.resolve();
  assert.equal(open.length, 1);
  const second = [shared.run(), shared.run()];
  await Promise.resolve();
  assert.equal(open.length, 1, 'the second waits for the first to end');
  open[0]?.resolve(1);
  assert.deepEqual(await Promise.all(first), [1, 1]);
  await Promise.resolve();
  assert.equal(open.length, 2);
  open[1]?.resolve(2);
  assert.deepEqual(await Promise.all(second), [2, 2]);
});

test('tells all who share it of an error, and goes on with the next', async () => {
  let calls = 0;
  const shared = new SharedCall(() => (calls++ === 0 ? Promise.reject(new Error('gone')) : Promise.resolve(calls)));
  const outcomes = await Promise.allSettled([shared.run(), shared.run()]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await shared.run(), 2);
});
