import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MemoryObjectBackend } from '../backends/memory/memory.ts';
import { whyNowhere } from './nowhere.ts';

const size = { sizeBytes: 100, storedBytes: 120 };
const working = {
  name: 'm2',
  state: 'active' as const,
  labels: { tier: 'hot' },
  objectBytesMax: null as number | null,
  backend: new MemoryObjectBackend(),
  isOpenFor: () => true,
  isOver: () => false,
};

it('a content that has nowhere to go is told why', () => {
  const why = (more: object, requiredLabels = {}) =>
    whyNowhere([{ ...working, ...more }], ['m1'], { requiredLabels }, size);
  assert.match(why({ name: 'm1' }), /no other active backend/);
  assert.match(why({ state: 'draining' }), /no other active backend/);
  assert.match(why({}, { tier: 'cold' }), /labels that the bucket requires/);
  assert.match(why({ isOpenFor: () => false }), /can be reached/);
  assert.match(why({ isOver: (meter: string) => meter === 'ingress' }), /monthly limit/);
  assert.match(why({ objectBytesMax: 99 }), /so large/);
  assert.match(why({ backend: new MemoryObjectBackend({ blobBytesMax: 110 }) }), /so large/);
  assert.match(why({}, { tier: 'hot' }), /has room/);
});
