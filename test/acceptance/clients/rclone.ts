import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { ClientHome, Ran } from './client-home.ts';
import { type Client, step } from './client.ts';
import { fetched } from './fetched.ts';
import { hashOf, hashOfFile, largeBytes, oddContent, oddKey, treeOf, writeLarge, writeTree } from './samples.ts';
import { tools } from '../../support/s3-clients.ts';

const bucket = 'with-rclone';
const root = `holdfast:${bucket}`;

/** What `rclone config` would write: a remote, and one that encrypts what it keeps there. */
async function configure(home: ClientHome): Promise<void> {
  const password = (await rclone(home, 'obscure', 'a password of tests')).trim();
  const lines = [
    '[holdfast]',
    'type = s3',
    'provider = Other',
    `access_key_id = ${home.credentials.accessKey}`,
    `secret_access_key = ${home.credentials.secret}`,
    `endpoint = ${home.endpoint}`,
    '[sealed]',
    'type = crypt',
    `remote = ${root}/sealed`,
    `password = ${password}`,
  ];
  await mkdir(home.path('.config/rclone'), { recursive: true });
  await writeFile(home.path('.config/rclone/rclone.conf'), `${lines.join('\n')}\n`);
}

/** What it prints; nothing is tried twice, so that no failure is hidden. */
async function rclone(home: ClientHome, ...args: readonly string[]): Promise<string> {
  return (await run(home, args)).stdout.toString();
}

function run(home: ClientHome, args: readonly string[], input?: Buffer): Promise<Ran> {
  const options = input === undefined ? {} : { input };
  return home.succeeds(['--retries', '1', '--low-level-retries', '1', ...args], options);
}

function rcloneFails(home: ClientHome, sentence: RegExp, ...args: readonly string[]): Promise<Ran> {
  return home.fails(sentence, ['--retries', '1', '--low-level-retries', '1', ...args]);
}

/** What it says that it did, one line for each file. */
async function deeds(home: ClientHome, ...args: readonly string[]): Promise<string[]> {
  const { stderr } = await run(home, ['-v', ...args]);
  return [...stderr.matchAll(/INFO {2}: (.*: (?:Copied|Deleted|Moved|Updated).*)/g)]
    .map(([, deed]) => deed!)
    .toSorted();
}

const inParts = ['--s3-upload-cutoff', '5M', '--s3-chunk-size', '5M', '--s3-upload-concurrency', '4'];

export const rcloneClient: Client = {
  tool: tools.rclone,
  needs: [tools.rclone],
  steps: [
    step('makes a bucket and finds it', async (home) => {
      await configure(home);
      await rclone(home, 'mkdir', root);
      await home.makeSafe(bucket);
      assert.match(await rclone(home, 'lsd', 'holdfast:'), new RegExp(` ${bucket}$`, 'm'));
    }),
    step('puts and gets a small file under a key with everything in it', async (home) => {
      await writeFile(home.path('small.txt'), oddContent);
      await rclone(home, 'copyto', 'small.txt', `${root}/${oddKey}`);
      await rclone(home, 'copyto', `${root}/${oddKey}`, 'small.back');
      assert.equal(await readFile(home.path('small.back'), 'utf8'), oddContent);
      assert.equal(await rclone(home, 'lsf', '-R', '--files-only', root), `${oddKey}\n`);
    }),
    step('puts a large file at once and in parts, and gets it whole and in a range', async (home) => {
      const content = await writeLarge(home.path('large'), 13);
      await rclone(home, 'copyto', 'large', `${root}/at once`);
      await rclone(home, 'copyto', 'large', `${root}/in parts`, ...inParts);
      for (const [name, threads] of Object.entries({ 'at once': '1', 'in parts': '4' })) {
        await rclone(
          home,
          'copyto',
          `${root}/${name}`,
          'large.back',
          '--multi-thread-cutoff=5M',
          '--multi-thread-streams',
          threads,
        );
        assert.equal(await hashOfFile(home.path('large.back')), hashOf(content));
        await rm(home.path('large.back'));
      }
      const { stdout } = await run(home, ['cat', '--offset', '5242870', '--count', '20', `${root}/in parts`]);
      assert.deepEqual(stdout, content.subarray(5_242_870, 5_242_890));
    }),
    step('sends what it reads from a pipe, whose length nobody knows', async (home) => {
      const content = await readFile(home.path('large'));
      await run(home, ['rcat', `${root}/piped`, ...inParts], content);
      const { stdout } = await run(home, ['cat', `${root}/piped`]);
      assert.equal(hashOf(stdout), hashOf(content));
    }),
    step('copies and moves within the bucket, and changes times', async (home) => {
      assert.deepEqual(await deeds(home, 'copyto', `${root}/in parts`, `${root}/copied`), [
        'in parts: Copied (server-side copy) to: copied',
      ]);
      await rclone(home, 'moveto', `${root}/copied`, `${root}/moved`);
      await rclone(home, 'touch', `${root}/moved`, '-t', '2002-01-02T03:04:05.678912345');
      assert.match(await rclone(home, 'lsl', `${root}/moved`), /^ *25165824 2002-01-02 03:04:05\.678912345 moved$/m);
      const { stdout } = await run(home, ['cat', `${root}/moved`]);
      assert.equal(hashOf(stdout), await hashOfFile(home.path('large')));
      await rcloneFails(home, /doesn't exist/, 'deletefile', `${root}/copied`);
    }),
    step('synchronises a directory, twice, there and back, with the times of its files', async (home) => {
      const source = home.path('tree');
      await writeTree(source);
      const sync = ['sync', 'tree', `${root}/tree`];
      assert.equal((await deeds(home, ...sync)).length, 30);
      assert.deepEqual(await deeds(home, ...sync), []);
      await writeFile(`${source}/a`, 'changed, and of another length');
      await rm(`${source}/with space`);
      assert.deepEqual(await deeds(home, ...sync), ['a: Copied (replaced existing)', 'with space: Deleted']);
      assert.deepEqual((await deeds(home, 'copy', `${root}/tree`, 'tree.back')).length, 29);
      assert.deepEqual(await treeOf(home.path('tree.back')), await treeOf(source));
      const [one, other] = [await stat(`${source}/plus+plus`), await stat(home.path('tree.back/plus+plus'))];
      assert.equal(other.mtimeMs, one.mtimeMs);
    }),
    step('finds no difference, by hash and by content', async (home) => {
      for (const way of [[], ['--download']]) {
        const { stderr } = await run(home, ['check', ...way, 'tree', `${root}/tree`]);
        assert.match(stderr, /: 0 differences found[^]*: 29 matching files/);
      }
      await writeFile(home.path('tree/a'), 'Changed, and of another length');
      await rcloneFails(home, /a: (md5 differ|contents differ)/, 'check', 'tree', `${root}/tree`);
    }),
    step('keeps a directory encrypted there', async (home) => {
      await rclone(home, 'copy', 'tree', 'sealed:tree');
      assert.match((await run(home, ['cryptcheck', 'tree', 'sealed:tree'])).stderr, /: 0 differences found/);
      await rclone(home, 'copy', 'sealed:tree', 'sealed.back');
      assert.deepEqual(await treeOf(home.path('sealed.back')), await treeOf(home.path('tree')));
    }),
    step('lists below a prefix, with and without what lies deeper', async (home) => {
      assert.equal(await rclone(home, 'lsf', '--dirs-only', `${root}/tree`), 'a.b/\ndeep/\n');
      assert.equal((await rclone(home, 'lsf', '-R', '--files-only', `${root}/tree`)).trim().split('\n').length, 29);
      const paged = await rclone(home, 'size', '--json', '--s3-list-chunk', '7', `${root}/tree/deep`);
      assert.equal((JSON.parse(paged) as { count: number }).count, 20);
    }),
    step('links to an object for anybody', async (home) => {
      const url = (await rclone(home, 'link', '--expire', '1m', `${root}/${oddKey}`)).trim();
      const { status, body } = await fetched(url);
      assert.deepEqual([status, body.toString()], [200, oddContent]);
    }),
    step('has left no uploads open', async (home) => {
      const uploads = await rclone(home, 'backend', 'list-multipart-uploads', root);
      assert.deepEqual(JSON.parse(uploads), { [bucket]: [] });
    }),
    step('is told what is wrong as by AWS', async (home) => {
      await rcloneFails(home, /object not found/, 'link', `${root}/nothing`);
      await rcloneFails(home, /directory not found/, 'ls', 'holdfast:no-such-bucket');
      await rcloneFails(home, /BucketNotEmpty/, 'rmdir', root);
    }),
  ],
  lastSteps: [
    step('removes one object, what is below a prefix, and then the bucket with all of it', async (home) => {
      await rclone(home, 'deletefile', `${root}/${oddKey}`);
      await rclone(home, 'delete', `${root}/tree`);
      const { count, bytes } = JSON.parse(await rclone(home, 'size', '--json', root, '--exclude', 'sealed/**')) as {
        count: number;
        bytes: number;
      };
      assert.deepEqual([count, bytes], [4, 4 * largeBytes]);
      await rclone(home, 'purge', root);
      assert.equal((await rclone(home, 'lsd', 'holdfast:')).includes(bucket), false);
    }),
  ],
};
