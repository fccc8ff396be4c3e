import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { createDmsetup } from './dmsetup.ts';

const isUnavailable = (reason: string) => (error: unknown) =>
  error instanceof HoldfastError && error.kind === 'unavailable' && error.details['reason'] === reason;

async function withProgram(script: string, use: (directory: string) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'dmsetup');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  await use(directory.path);
}

describe('running dmsetup', () => {
  test('gives it arguments as they are, its input and a plain environment', async () => {
    const script = 'printf "%s\\n" "$@" "$(/bin/cat)" "udev=$DM_DISABLE_UDEV" "secret=$SECRET"; echo oops >&2; exit 3';
    await withProgram(script, async (directory) => {
      const environment = { PATH: directory, SECRET: 'told to the server' };
      const signal = AbortSignal.timeout(10_000);
      const without = createDmsetup({ environment, udevControl: join(directory, 'none') });
      assert.deepEqual(await without(['load', '$(x) ; y'], '0 8 error\n', signal), {
        status: 3,
        stdout: 'load\n$(x) ; y\n0 8 error\nudev=1\nsecret=\n',
        stderr: 'oops\n',
      });
      const { stdout } = await createDmsetup({ environment, udevControl: directory })(['table'], '', signal);
      assert.match(stdout, /^udev=$/m);
    });
  });

  test('waits no longer than its deadline', async () => {
    await withProgram('exec /bin/sleep 60', async (directory) => {
      const run = createDmsetup({ environment: { PATH: directory }, timeoutMs: 100 });
      await assert.rejects(run(['table'], '', AbortSignal.timeout(10_000)), isUnavailable('timeout'));
      await assert.rejects(run(['table'], '', AbortSignal.abort()), isUnavailable('timeout'));
    });
  });

  test('holds no endless output', async () => {
    await withProgram('exec /usr/bin/yes', async (directory) => {
      const run = createDmsetup({ environment: { PATH: directory } });
      await assert.rejects(run(['table'], '', AbortSignal.timeout(10_000)), { kind: 'unavailable' });
    });
  });

  test('says how to install what is missing', async () => {
    const run = createDmsetup({ environment: { PATH: '' }, systemFolders: [] });
    await assert.rejects(run(['table'], '', AbortSignal.timeout(10_000)), isUnavailable('not_installed'));
  });
});
