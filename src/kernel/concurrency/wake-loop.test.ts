import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../../../test/support/wait.ts';
import { WakeLoop } from './wake-loop.ts';

describe('a loop that is woken', () => {
  test('looks once more for all who woke it during a look, and never twice at once', async () => {
    const gates: PromiseWithResolvers<void>[] = [];
    let running = 0;
    const loop = new WakeLoop({
      look: async () => {
        assert.equal(++running, 1);
        const gate = Promise.withResolvers<void>();
        gates.push(gate);
        await gate.promise;
        running--;
        return null;
      },
      failedMs: 60_000,
      onError: (error) => assert.ifError(error),
    });
    loop.wake();
    for (let count = 0; count < 5; count++) loop.wake();
    gates[0]!.resolve();
    await until('the second look', () => gates.length === 2);
    gates[1]!.resolve();
    await loop.stop();
    assert.equal(gates.length, 2);
    loop.wake();
    loop.plan(0);
    assert.deepEqual([gates.length, loop.isPlanned], [2, false]);
  });

  test('goes on while there is more, after a failure, and when its time has come', async () => {
    const looks: (number | 'fail' | null)[] = [0, 0, 5, 'fail', null];
    let count = 0;
    const errors: unknown[] = [];
    const loop = new WakeLoop({
      look: async () => {
        const next = looks[count++]!;
        if (next === 'fail') throw new Error('no look');
        return next;
      },
      failedMs: 1,
      onError: (error) => errors.push(error),
    });
    loop.wake();
    await until('the last look', () => count === looks.length);
    await loop.stop();
    assert.deepEqual([errors.map(String), loop.isPlanned], [['Error: no look'], false]);
  });
});
