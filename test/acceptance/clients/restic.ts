import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import type { ClientHome, Ran } from './client-home.ts';
import { type Client, step } from './client.ts';
import { treeOf, writeLarge, writeTree } from './samples.ts';
import { tools } from '../../support/s3-clients.ts';

const bucket = 'with-restic';

function environment({ endpoint, credentials }: ClientHome, password = 'a password of tests'): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKey,
    AWS_SECRET_ACCESS_KEY: credentials.secret,
    AWS_DEFAULT_REGION: credentials.region,
    RESTIC_REPOSITORY: `s3:${endpoint}/${bucket}/deep/repository`,
    RESTIC_PASSWORD: password,
  };
}

function restic(home: ClientHome, ...args: readonly string[]): Promise<Ran> {
  return home.succeeds(args, { env: environment(home) });
}

interface Snapshot {
  readonly id: string;
  readonly tags?: readonly string[];
}

async function snapshots(home: ClientHome): Promise<readonly Snapshot[]> {
  return JSON.parse((await restic(home, 'snapshots', '--json')).stdout.toString()) as readonly Snapshot[];
}

/** Everything of a snapshot is as it was. */
async function assertRestored(home: ClientHome, snapshot: string, expected: Record<string, string>): Promise<void> {
  const target = home.path('restored');
  await restic(home, 'restore', snapshot, '--target', target, '--verify');
  assert.deepEqual(await treeOf(`${target}/source`), expected);
  await rm(target, { recursive: true });
}

export const resticClient: Client = {
  tool: tools.restic,
  needs: [tools.restic],
  steps: [
    step('makes a bucket with a repository, once', async (home) => {
      await restic(home, 'init');
      await home.makeSafe(bucket);
      await home.fails(/already (exists|initialized)/, ['init'], { env: environment(home) });
      await home.fails(/wrong password/, ['snapshots'], { env: environment(home, 'another') });
    }),
    step('backs up a directory with a large file, changes it, and backs it up again', async (home) => {
      const source = await home.folder('source');
      await writeTree(source);
      await writeLarge(`${source}/large`, 14);
      const first = await treeOf(source);
      await restic(home, 'backup', 'source', '--tag', 'first');
      await writeFile(`${source}/a`, 'changed, and of another length');
      await rm(`${source}/with space`);
      const again = (await restic(home, 'backup', 'source', '--tag', 'second')).stdout.toString();
      assert.match(again, /^Files: +0 new, +1 changed, +29 unmodified$/m);
      assert.deepEqual(
        (await snapshots(home)).map(({ tags }) => tags),
        [['first'], ['second']],
      );
      await assertRestored(home, (await snapshots(home))[0]!.id, first);
      await assertRestored(home, 'latest', await treeOf(source));
    }),
    step('reads all of it and finds it whole', async (home) => {
      assert.match((await restic(home, 'check', '--read-data')).stdout.toString(), /^no errors were found$/m);
    }),
    step('forgets a snapshot, removes what only that one had, and all else is whole', async (home) => {
      const before = (await snapshots(home)).length;
      const pruned = (await restic(home, 'forget', '--keep-last', '1', '--prune')).stdout.toString();
      assert.match(pruned, /^total prune: +[1-9]\d* blobs/m);
      assert.deepEqual([before, (await snapshots(home)).length], [2, 1]);
      assert.match((await restic(home, 'check', '--read-data')).stdout.toString(), /^no errors were found$/m);
      await assertRestored(home, 'latest', await treeOf(home.path('source')));
      assert.equal((await restic(home, 'list', 'locks')).stdout.toString(), '');
    }),
  ],
  lastSteps: [],
};
