import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKind } from '../conformance/suite.ts';
import { lastWords, runProgram } from './program.ts';

const within = (timeoutMs: number) => ({ debianPackage: 'some-package', signal: AbortSignal.timeout(timeoutMs) });

describe('programs of the system', () => {
  test('tell their status and their words, in one language', async () => {
    const script = 'echo out; echo first >&2; echo "last words" >&2; [ "$LC_ALL" = C ] && exit 6';
    const done = await runProgram('sh', ['-c', script], within(20_000));
    assert.deepEqual([done.status, done.stdout, lastWords(done)], [6, 'out\n', 'last words']);
    assert.equal(lastWords({ status: 3, stdout: '', stderr: '' }), 'it ended with 3');
  });

  test('are killed at the deadline, and said to be missing where they are', async () => {
    await assert.rejects(runProgram('sleep', ['60'], within(50)), isKind('unavailable'));
    await assert.rejects(runProgram('holdfast-no-such-program', [], within(20_000)), (error: Error) => {
      assert.match(error.message, /apt-get install some-package/);
      return isKind('unavailable', { program: 'holdfast-no-such-program' })(error);
    });
  });
});
