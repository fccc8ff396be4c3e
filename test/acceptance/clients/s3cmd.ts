import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import type { ClientHome, Ran } from './client-home.ts';
import { type Client, step } from './client.ts';
import { fetched } from './fetched.ts';
import { hashOfFile, largeBytes, oddContent, oddKey, treeOf, writeLarge, writeTree } from './samples.ts';
import { tools } from '../../support/s3-clients.ts';

const bucket = 'with-s3cmd';
const root = `s3://${bucket}`;

/** What `s3cmd --configure` would ask for. */
async function configure(home: ClientHome): Promise<void> {
  const { host } = new URL(home.endpoint);
  const lines = [
    '[default]',
    `access_key = ${home.credentials.accessKey}`,
    `secret_key = ${home.credentials.secret}`,
    `host_base = ${host}`,
    `host_bucket = ${host}`,
    'use_https = False',
  ];
  await writeFile(home.path('.s3cfg'), `${lines.join('\n')}\n`);
}

async function s3cmd(home: ClientHome, ...args: readonly string[]): Promise<string> {
  return (await home.succeeds(['--no-progress', ...args])).stdout.toString();
}

function s3cmdFails(home: ClientHome, sentence: RegExp, ...args: readonly string[]): Promise<Ran> {
  return home.fails(sentence, ['--no-progress', ...args]);
}

const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/tree/deep/*` },
  ],
});

export const s3cmdClient: Client = {
  tool: tools.s3cmd,
  needs: [tools.s3cmd],
  steps: [
    step('makes a bucket and finds it', async (home) => {
      await configure(home);
      await s3cmd(home, 'mb', root);
      await home.makeSafe(bucket);
      assert.match(await s3cmd(home, 'ls'), new RegExp(` {2}${root}$`, 'm'));
    }),
    step('puts and gets a small file under a key with everything in it', async (home) => {
      await writeFile(home.path('small.txt'), oddContent);
      await s3cmd(home, 'put', 'small.txt', `${root}/${oddKey}`);
      await s3cmd(home, 'get', `${root}/${oddKey}`, 'small.back');
      assert.equal(await readFile(home.path('small.back'), 'utf8'), oddContent);
      assert.ok((await s3cmd(home, 'ls', '--recursive', root)).includes(`${root}/${oddKey}\n`));
    }),
    step('puts a large file in parts, gets it, and goes on where it had stopped', async (home) => {
      const content = await writeLarge(home.path('large'), 12);
      await s3cmd(home, 'put', 'large', `${root}/large`, '--add-header=x-amz-meta-who:somebody', '--mime-type=x/y');
      await s3cmd(home, 'get', `${root}/large`, 'large.back');
      assert.equal(await hashOfFile(home.path('large.back')), await hashOfFile(home.path('large')));
      await writeFile(home.path('half.back'), content.subarray(0, 10_000_001));
      await s3cmd(home, 'get', '--continue', `${root}/large`, 'half.back');
      assert.equal(await hashOfFile(home.path('half.back')), await hashOfFile(home.path('large')));
      const info = await s3cmd(home, 'info', `${root}/large`);
      assert.match(info, new RegExp(`File size: ${largeBytes}$`, 'm'));
      assert.match(info, /MIME type: x\/y$/m);
      assert.match(info, /x-amz-meta-who: somebody$/m);
      assert.match(info, /ACL: .*FULL_CONTROL$/m);
    }),
    step('copies, moves and changes headers within the bucket', async (home) => {
      await s3cmd(home, 'cp', `${root}/large`, `${root}/copied`);
      await s3cmd(home, 'mv', `${root}/copied`, `${root}/moved`);
      await s3cmd(home, 'modify', '--add-header=x-amz-meta-later: yes', `${root}/moved`);
      assert.match(await s3cmd(home, 'info', `${root}/moved`), /x-amz-meta-later: yes$/m);
      await s3cmd(home, 'get', `${root}/moved`, 'moved.back');
      assert.equal(await hashOfFile(home.path('moved.back')), await hashOfFile(home.path('large')));
      await s3cmdFails(home, /404/, 'info', `${root}/copied`);
    }),
    step('synchronises a directory, twice, there and back', async (home) => {
      const source = home.path('tree');
      await writeTree(source);
      const sync = ['sync', '--delete-removed', 'tree/', `${root}/tree/`];
      assert.equal((await s3cmd(home, ...sync)).match(/^upload: /gm)?.length, 30);
      assert.equal(await s3cmd(home, ...sync), '');
      await writeFile(`${source}/a`, 'changed, and of another length');
      await rm(`${source}/with space`);
      const changes = await s3cmd(home, ...sync);
      assert.deepEqual(
        [changes.match(/^delete: .*/gm), changes.match(/^upload: '.*?'/gm)],
        [[`delete: '${root}/tree/with space'`], [`upload: 'tree/a'`]],
      );
      await home.folder('tree.back');
      await s3cmd(home, 'sync', `${root}/tree/`, 'tree.back/');
      assert.deepEqual(await treeOf(home.path('tree.back')), await treeOf(source));
    }),
    step('lists below a prefix, with and without what lies deeper', async (home) => {
      const shallow = await s3cmd(home, 'ls', `${root}/tree/`);
      assert.match(shallow, new RegExp(`DIR {2}${root}/tree/deep/$`, 'm'));
      assert.doesNotMatch(shallow, /file 29/);
      assert.equal((await s3cmd(home, 'ls', '--recursive', `${root}/tree/`)).trim().split('\n').length, 29);
      assert.match(await s3cmd(home, 'du', `${root}/tree/deep/`), /^ *\d+ +20 objects /);
    }),
    step('signs an address of the older version that anybody can use', async (home) => {
      const url = (await s3cmd(home, 'signurl', `${root}/large`, '+60')).trim();
      assert.match(url, /AWSAccessKeyId=/);
      assert.equal((await fetched(url)).body.length, largeBytes);
      assert.equal((await fetched(url.replace('/large?', '/moved?'))).status, 403);
    }),
    step('sets a policy by which anybody reads, and takes it away', async (home) => {
      const url = `${home.endpoint}/${bucket}/tree/deep/1/file%2029`;
      assert.equal((await fetched(url)).status, 403);
      await writeFile(home.path('policy.json'), policy);
      await s3cmd(home, 'setpolicy', 'policy.json', root);
      assert.match(await s3cmd(home, 'info', root), /Policy: +\{.*s3:GetObject/);
      assert.equal((await fetched(url)).status, 200);
      assert.equal((await fetched(`${home.endpoint}/${bucket}/large`)).status, 403);
      await s3cmd(home, 'delpolicy', root);
      assert.equal((await fetched(url)).status, 403);
    }),
    step('sets what expires, and takes it away', async (home) => {
      await s3cmd(home, 'expire', root, '--expiry-days=3', '--expiry-prefix=none/');
      assert.match(await s3cmd(home, 'getlifecycle', root), /<Days>3<\/Days>/);
      await s3cmd(home, 'dellifecycle', root);
      await s3cmdFails(home, /NoSuchLifecycleConfiguration/, 'getlifecycle', root);
    }),
    step('has left no uploads open', async (home) => {
      assert.equal((await s3cmd(home, 'multipart', root)).trim().split('\n').length, 2);
    }),
    step('is told what is wrong as by AWS', async (home) => {
      await s3cmdFails(home, /does not exist/, 'get', `${root}/nothing`, 'none');
      await s3cmdFails(home, /NoSuchBucket|does not exist/, 'ls', 's3://no-such-bucket');
      await s3cmdFails(home, /BucketNotEmpty/, 'rb', root);
      await s3cmdFails(home, /AccessControlListNotSupported/, 'setacl', '--acl-public', `${root}/large`);
    }),
  ],
  lastSteps: [
    step('removes one object, what is below a prefix, and then the bucket with all of it', async (home) => {
      await s3cmd(home, 'del', `${root}/${oddKey}`);
      assert.equal((await s3cmd(home, 'del', '--recursive', `${root}/tree/`)).match(/^delete: /gm)?.length, 29);
      await s3cmd(home, 'rb', '--recursive', '--force', root);
      assert.equal((await s3cmd(home, 'ls')).includes(bucket), false);
    }),
  ],
};
