import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { backendServer } from '../objects/backends/test-backend-server.ts';
import { limitsOf, pairs, secretVariable, secretsOf } from './backend-options.ts';

describe('the flags of backend commands', () => {
  test('give limits in bytes, counts, and none', () => {
    const flags = {
      quota: '10GiB',
      maxObjectSize: 'none',
      monthlyRequests: '1000',
      monthlyEgress: '1GB',
      position: '2',
    };
    assert.deepEqual(limitsOf(flags), {
      quota_bytes: '10737418240',
      object_bytes_max: null,
      month_requests_max: 1_000,
      month_egress_bytes_max: '1000000000',
      position: 2,
    });
    assert.deepEqual(limitsOf({}), {});
    assert.throws(() => limitsOf({ quota: 'much' }), /--quota: "much" is not a size/);
    assert.throws(() => limitsOf({ monthlyRequests: '-1' }), /--monthly-requests: "-1" is not a whole number/);
  });

  test('give settings whose values may have an equals sign', () => {
    assert.deepEqual(pairs('--set', ['path=/srv/a', 'query=a=b', 'empty=']), {
      path: '/srv/a',
      query: 'a=b',
      empty: '',
    });
    assert.equal(pairs('--set', undefined), undefined);
    assert.throws(() => pairs('--set', ['path']), /--set: "path" is not of the form key=value/);
  });

  test('give secrets from themselves, from the environment, and from lines of the input', async () => {
    assert.equal(secretVariable('access-key.id'), 'HOLDFAST_SECRET_ACCESS_KEY_ID');
    const env = { HOLDFAST_SECRET_USER: 'ann' };
    const input = Readable.from(['first line\nsecond=line\n']);
    const found = await secretsOf(['plain=value', 'user', 'one', 'two'], env, input);
    assert.deepEqual(found, { plain: 'value', user: 'ann', one: 'first line', two: 'second=line' });
    const missing = secretsOf(['one', 'two'], {}, Readable.from(['only one\n']));
    await assert.rejects(missing, /--secret: "two" has no value: set HOLDFAST_SECRET_TWO/);
  });
});

describe('the backend commands', () => {
  let server: Awaited<ReturnType<typeof backendServer>>;
  before(async () => (server = await backendServer()));
  after(() => server[Symbol.asyncDispose]());

  /** Runs the commands in a process of their own. */
  async function holdfast(args: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> {
    const program = `
      import { Command } from 'commander';
      import { registerBackendCommands } from ${JSON.stringify(new URL('./backend.ts', import.meta.url).href)};
      const program = new Command('holdfast').option('--json').option('--url <url>');
      registerBackendCommands(program.command('backend'));
      await program.parseAsync(process.argv.slice(1), { from: 'user' }).catch((error) => {
        console.error(error.message);
        process.exitCode = 9;
      });`;
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', program, '--', '--url', server.url, 'backend', ...args],
      { stdio: ['pipe', 'pipe', 'pipe'], timeout: 30_000 },
    );
    child.stdin.end(input);
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { code: child.exitCode ?? -1, out, err };
  }

  test('take a backend through its life', async () => {
    const add = [
      'add',
      'disk1',
      'memory',
      '--set',
      'place=one',
      '--label',
      'zone=a',
      '--quota',
      '10GiB',
      '--secret',
      'password',
    ];
    const added = await holdfast(add, 'open sesame\n');
    assert.deepEqual(added, { code: 0, out: 'Backend disk1 (memory) is added: memory of this process\n', err: '' });
    const list = await holdfast(['list']);
    assert.match(list.out, /NAME +KIND +STATE +HEALTH +USED +QUOTA +COPIES +BREAKER +LABELS/);
    assert.match(list.out, /disk1 +memory +active +healthy +0 B +10 GiB +0 +- +zone=a/);
    const shown = await holdfast(['show', 'disk1']);
    assert.match(shown.out, /^config +speed=fast place=one$/m);
    assert.match(shown.out, /^secrets +password$/m);
    assert.match(shown.out, /^used +0 B of 10 GiB$/m);
    assert.doesNotMatch(shown.out, /sesame/);
    const changed = await holdfast(['change', 'disk1', '--quota', 'none', '--unset-secret', 'password']);
    assert.equal(changed.out, 'Backend disk1 is changed (version 2).\n');
    const facts = JSON.parse((await holdfast(['show', 'disk1', '--json'])).out) as Record<string, unknown>;
    assert.deepEqual([facts['quota_bytes'], facts['secrets']], [null, []]);
    assert.equal((await holdfast(['drain', 'disk1'])).out, 'Backend disk1 is draining.\n');
    assert.equal((await holdfast(['drain', 'disk1', '--cancel'])).out, 'Backend disk1 is active.\n');
    const tested = await holdfast(['test', 'disk1']);
    assert.equal(tested.code, 0);
    assert.match(tested.out, /write +ok +[\d.]+ ms/);
    assert.equal((await holdfast(['remove', 'disk1'])).out, 'Backend disk1 is removed.\n');
  });

  test('fail with a sentence, and with an exit code where a test fails', async () => {
    const unknown = await holdfast(['show', 'nothing']);
    assert.deepEqual([unknown.code, unknown.err], [9, 'There is no backend nothing.\n']);
    await holdfast(['add', 'disk2', 'memory', '--set', 'place=two']);
    server.places.at('two').faults.push({ verb: 'put', effect: 'full', times: 1 });
    const failed = await holdfast(['test', 'disk2']);
    assert.equal(failed.code, 1);
    assert.match(failed.out, /write +failed +[\d.]+ ms +The memory backend is full\./);
    const unsure = await holdfast(['remove', 'disk2', '--purge']);
    assert.equal(unsure.code, 9);
    assert.match(
      unsure.err,
      /^Purging disk2 forgets 0 copies for good\. .* Go on\? Nobody is here to answer: give --yes/,
    );
    const purged = await holdfast(['remove', 'disk2', '--purge', '--yes']);
    assert.deepEqual(purged, { code: 0, out: 'Backend disk2 is being purged.\n', err: '' });
    const shown = await holdfast(['show', 'disk2']);
    assert.match(shown.out, /^state +purging$/m);
  });
});
