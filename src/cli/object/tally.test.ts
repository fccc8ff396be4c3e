import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ApiError } from '../../client.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Output } from '../output.ts';
import { fileTrouble } from '../disk-trouble.ts';
import { Tally } from './tally.ts';

/** What a command would have written. */
function recorder(): Output & { readonly lines: string[]; readonly errors: string[] } {
  const [lines, errors]: [string[], string[]] = [[], []];
  return {
    lines,
    errors,
    isTerminal: false,
    line: (text = '') => void lines.push(text),
    live: () => {},
    error: (text) => void errors.push(text),
  };
}

const unavailable = new ApiError(503, { error: 'Later.', code: 'SERVICE_UNAVAILABLE' });

describe('what became of many objects', () => {
  test('is told in one line when all went well', () => {
    const [tally, output] = [new Tally(), recorder()];
    tally.done(1_024);
    tally.report(output, false, 'written');
    assert.deepEqual([output.lines, output.errors], [['1 object written, 1 KiB'], []]);
  });

  test('names what failed, within a bound, and is then a failure itself', () => {
    const [tally, output] = [new Tally(), recorder()];
    for (let index = 0; index < 250; index++) tally.fail(`key\n${index}`, new Error('no'));
    tally.skip('link', 'a link to a directory');
    tally.done(5);
    assert.throws(() => tally.report(output, false, 'written'), /^Error: 250 of 251 objects not written$/);
    assert.equal(output.errors.length, 102);
    assert.equal(output.errors[0], 'left out: link: a link to a directory');
    assert.equal(output.errors[1], 'not written: key\\x0a0: no');
    assert.equal(output.errors.at(-1), '… and 150 more');
  });

  test('is one document for programs', () => {
    const [tally, output] = [new Tally(), recorder()];
    tally.done(7);
    tally.fail('a', new Error('no'));
    assert.throws(() => tally.report(output, true, 'written'), /1 of 2 objects/);
    assert.deepEqual(JSON.parse(output.lines.join('\n')), {
      objects: 1,
      bytes: 7,
      failed: 1,
      failures: [{ name: 'a', reason: 'no' }],
      skipped: 0,
      skips: [],
    });
  });

  test('ends at once where the rest would fail for the same reason', () => {
    const noBucket = { error: 'x', code: 'NOT_FOUND', details: { s3: 'NoSuchBucket' } } as const;
    const noRoom = Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    });
    const absent = new HoldfastError('unavailable', 'x', { connection: 'absent' });
    for (const error of [
      new ApiError(404, noBucket),
      new ApiError(403, { error: 'x', code: 'FORBIDDEN' }),
      noRoom,
      fileTrouble('there', 'written', noRoom) as Error,
      absent,
    ]) {
      assert.throws(() => new Tally().fail('a', error), error);
    }
    new Tally().fail('a', new ApiError(404, { error: 'x', code: 'NOT_FOUND', details: { s3: 'NoSuchKey' } }));
  });

  test('ends when the server fails again and again, but not for failures here and there', () => {
    const tally = new Tally();
    for (let round = 0; round < 10; round++) {
      for (let index = 0; index < 7; index++) tally.fail('a', unavailable);
      tally.done(0);
    }
    for (let index = 0; index < 7; index++) tally.fail('a', unavailable);
    assert.throws(() => tally.fail('a', unavailable), unavailable);
  });
});
