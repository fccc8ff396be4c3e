import assert from 'node:assert/strict';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { diskCode, fileTrouble, reasonOf } from './disk-trouble.ts';

/** What the disk really says. */
async function failureOf(act: Promise<unknown>): Promise<unknown> {
  return act.then(
    () => assert.fail('it did not fail'),
    (error: unknown) => error,
  );
}

describe('trouble with a file', () => {
  test('is told in words, without the code, the call and the path', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "it's, here");
    const absent = await failureOf(readFile(path));
    assert.equal(reasonOf(absent), 'no such file or directory');
    await mkdir(path);
    assert.equal(reasonOf(await failureOf(readFile(path))), 'illegal operation on a directory');
    const intoItself = await failureOf(rename(path, join(path, 'below')));
    assert.match(reasonOf(intoItself), /^invalid argument/);
    assert.equal(reasonOf(new Error('EAGAIN is not what this is')), 'EAGAIN is not what this is');
    assert.equal(reasonOf('text'), 'text');
  });

  test('is wrong use where another name would do, else a failure, and keeps its code', async () => {
    const absent = fileTrouble('there', 'read', await failureOf(readFile('/nowhere/at/all'))) as HoldfastError;
    assert.deepEqual([absent.kind, absent.message], ['invalid', 'there cannot be read: no such file or directory.']);
    assert.equal(diskCode(absent), 'ENOENT');
    await using full = await open('/dev/full', 'w');
    const trouble = fileTrouble('there', 'written', await failureOf(full.write('x'))) as HoldfastError;
    assert.deepEqual(
      [trouble.kind, trouble.message, diskCode(trouble)],
      ['backend', 'there cannot be written: no space left on device.', 'ENOSPC'],
    );
    assert.equal(fileTrouble('elsewhere', 'read', trouble), trouble);
  });

  test('is not what the server says, nor a connection', () => {
    for (const error of [new HoldfastError('unavailable', 'x'), new Error('x'), new DOMException('x', 'AbortError')]) {
      assert.equal(fileTrouble('there', 'read', error), error);
      assert.equal(diskCode(error), null);
    }
  });
});
