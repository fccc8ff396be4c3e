import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../../../test/support/wait.ts';
import { HoldfastError } from '../errors/errors.ts';
import { Outage } from './outage.ts';

const trouble = new HoldfastError('unavailable', 'The store is unavailable.', { outcome: 'none' });

describe('reads while the store is away', () => {
  test('only the first one waits for the store, until it is back', async () => {
    const outage = new Outage();
    let reads = 0;
    let answer: (() => string) | null = null;
    const read = async () => {
      reads++;
      if (answer === null) throw trouble;
      return answer();
    };
    assert.deepEqual(await outage.read(read, () => 'old'), { value: 'old', isStale: true });
    assert.equal(reads, 1);

    // A store that does not answer at all holds up nobody, and is asked once.
    let isAsked = 0;
    let release = (_error: Error) => {};
    const hanging = () => new Promise<string>((_resolve, reject) => ((isAsked += 1), (release = reject)));
    for (let index = 0; index < 5; index++) {
      assert.deepEqual(await outage.read(hanging, () => 'old'), { value: 'old', isStale: true });
    }
    assert.equal(isAsked, 1);
    release(trouble);

    answer = () => 'new';
    await until('the store is seen to be back', async () => !(await outage.read(read, () => 'old')).isStale);
    assert.deepEqual(await outage.read(read, () => 'old'), { value: 'new', isStale: false });
  });

  test('what nobody remembers is asked of the store, and its error is told', async () => {
    const outage = new Outage();
    const fail = () => Promise.reject(trouble);
    await assert.rejects(
      outage.read(fail, () => null),
      trouble,
    );
    await assert.rejects(
      outage.read(fail, () => null),
      trouble,
    );
    assert.deepEqual(
      await outage.read(
        async () => 'there',
        () => null,
      ),
      { value: 'there', isStale: false },
    );
  });

  test('an answer that is an error of the domain is an answer', async () => {
    const outage = new Outage();
    const absent = new HoldfastError('not_found', 'It is not there.');
    await assert.rejects(
      outage.read(
        () => Promise.reject(absent),
        () => 'old',
      ),
      absent,
    );
    await assert.rejects(
      outage.read(
        () => Promise.reject(trouble),
        () => null,
      ),
      trouble,
    );
    await outage.read(
      () => Promise.reject(absent),
      () => 'old',
    );
    await until('the answer was seen', async () => {
      const told = await outage.read(
        async () => 'new',
        () => 'old',
      );
      return told.value === 'new';
    });
  });
});
