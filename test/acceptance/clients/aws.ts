import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import type { ClientHome, Ran, RunOptions } from './client-home.ts';
import { type Client, step } from './client.ts';
import { fetched } from './fetched.ts';
import { hashOf, hashOfFile, largeBytes, oddContent, oddKey, treeOf, writeLarge, writeTree } from './samples.ts';
import { tools } from '../../support/s3-clients.ts';

const bucket = 'with-aws';
const root = `s3://${bucket}`;

function environment({ credentials }: ClientHome): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKey,
    AWS_SECRET_ACCESS_KEY: credentials.secret,
    AWS_DEFAULT_REGION: credentials.region,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_PAGER: '',
  };
}

function aws(home: ClientHome, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return home.succeeds(['--endpoint-url', home.endpoint, ...args], { ...options, env: environment(home) });
}

function awsFails(home: ClientHome, sentence: RegExp, args: readonly string[]): Promise<Ran> {
  return home.fails(sentence, ['--endpoint-url', home.endpoint, ...args], { env: environment(home) });
}

/** What `aws s3api` answers. */
async function api(home: ClientHome, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const { stdout } = await aws(home, ['s3api', ...args, '--bucket', bucket, '--output', 'json']);
  return JSON.parse(stdout.toString()) as Record<string, unknown>;
}

const copy = (...args: readonly string[]) => ['s3', 'cp', '--no-progress', ...args];

export const awsClient: Client = {
  tool: tools.aws,
  needs: [tools.aws],
  steps: [
    step('makes a bucket', async (home) => {
      await aws(home, ['s3', 'mb', root]);
      await home.makeSafe(bucket);
    }),
    step('puts and gets a small file under a key with everything in it', async (home) => {
      await writeFile(home.path('small.txt'), oddContent);
      await aws(home, copy('small.txt', `${root}/${oddKey}`));
      await aws(home, copy(`${root}/${oddKey}`, 'small.back'));
      assert.equal(await readFile(home.path('small.back'), 'utf8'), oddContent);
    }),
    step('puts a large file in parts and gets it whole and in a range', async (home) => {
      const content = await writeLarge(home.path('large'), 11);
      await aws(home, copy('large', `${root}/large`, '--metadata', 'who=somebody', '--content-type', 'x/y'));
      const { ETag: etag, ContentType: type, Metadata: metadata } = await api(home, 'head-object', '--key', 'large');
      assert.deepEqual([type, metadata], ['x/y', { who: 'somebody' }]);
      assert.match(String(etag), /^"[0-9a-f]{32}-3"$/);
      await aws(home, copy(`${root}/large`, 'large.back'));
      assert.equal(await hashOfFile(home.path('large.back')), hashOf(content));
      const part = ['--key', 'large', '--range', 'bytes=8388600-8388615', 'part.back'];
      const { ContentRange: range } = await api(home, 'get-object', ...part);
      assert.equal(range, `bytes 8388600-8388615/${largeBytes}`);
      assert.deepEqual(await readFile(home.path('part.back')), content.subarray(8_388_600, 8_388_616));
    }),
    step('sends what it reads from a pipe, and writes to one', async (home) => {
      const content = await readFile(home.path('large'));
      await aws(home, copy('-', `${root}/piped`), { input: content });
      assert.equal(hashOf((await aws(home, copy(`${root}/piped`, '-'))).stdout), hashOf(content));
    }),
    step('copies and moves within the bucket', async (home) => {
      await aws(home, copy(`${root}/large`, `${root}/copied`));
      await aws(home, ['s3', 'mv', '--no-progress', `${root}/copied`, `${root}/moved`]);
      const { ContentLength: length, Metadata: metadata } = await api(home, 'head-object', '--key', 'moved');
      assert.deepEqual([length, metadata], [largeBytes, { who: 'somebody' }]);
    }),
    step('synchronises a directory, twice, there and back', async (home) => {
      const source = home.path('tree');
      await writeTree(source);
      const sync = ['s3', 'sync', '--no-progress', 'tree', `${root}/tree`, '--delete'];
      assert.equal((await aws(home, sync)).stdout.toString().match(/^upload: /gm)?.length, 30);
      assert.equal((await aws(home, sync)).stdout.toString(), '');
      await writeFile(`${source}/a`, 'changed, and of another length');
      await rm(`${source}/with space`);
      const lines = (await aws(home, sync)).stdout.toString().trim().split('\n').toSorted();
      assert.deepEqual(lines, [`delete: ${root}/tree/with space`, `upload: tree/a to ${root}/tree/a`]);
      await aws(home, ['s3', 'sync', '--no-progress', `${root}/tree`, 'tree.back']);
      assert.deepEqual(await treeOf(home.path('tree.back')), await treeOf(source));
    }),
    step('lists below a prefix, with and without what lies deeper', async (home) => {
      const shallow = (await aws(home, ['s3', 'ls', `${root}/tree/`])).stdout.toString();
      assert.match(shallow, /^ +PRE deep\/$/m);
      assert.match(shallow, / plus\+plus$/m);
      assert.doesNotMatch(shallow, /file 29/);
      const all = (await aws(home, ['s3', 'ls', '--recursive', '--summarize', `${root}/tree/`])).stdout.toString();
      assert.match(all, / tree\/deep\/1\/file 29$/m);
      assert.match(all, /Total Objects: 29$/m);
      const paged = await api(home, 'list-objects-v2', '--page-size', '7');
      const keys = (paged['Contents'] as readonly { readonly Key: string }[]).map(({ Key: key }) => key);
      assert.equal(keys.filter((key) => key.startsWith('tree/')).length, 29);
      assert.deepEqual(
        keys.filter((key) => !key.startsWith('tree/')),
        [oddKey, 'large', 'moved', 'piped'],
      );
    }),
    step('presigns an address that anybody can use', async (home) => {
      const url = (await aws(home, ['s3', 'presign', `${root}/${oddKey}`, '--expires-in', '60'])).stdout
        .toString()
        .trim();
      const { status, body } = await fetched(url);
      assert.deepEqual([status, body.toString()], [200, oddContent]);
      assert.equal((await fetched(url.replace(/%20b/, '%20c'))).status, 403);
      assert.equal((await fetched(url, { method: 'DELETE' })).status, 403);
    }),
    step('gets back the checksum that it sent', async (home) => {
      const put = ['put-object', '--key', 'summed', '--body', 'small.txt', '--checksum-algorithm', 'SHA256'];
      const { ChecksumSHA256: sum } = await api(home, ...put);
      assert.equal(sum, Buffer.from(hashOf(Buffer.from(oddContent)), 'hex').toString('base64'));
      const head = await api(home, 'head-object', '--key', 'summed', '--checksum-mode', 'ENABLED');
      assert.equal(head['ChecksumSHA256'], sum);
    }),
    step('is told what is wrong as by AWS', async (home) => {
      const get = ['s3api', 'get-object', '--bucket', bucket, '--key', 'nothing', 'none'];
      assert.equal((await awsFails(home, /\(NoSuchKey\)/, get)).code, 254);
      await awsFails(home, /\(NoSuchBucket\)/, ['s3', 'ls', 's3://no-such-bucket']);
      await awsFails(home, /\(BucketNotEmpty\)/, ['s3', 'rb', root]);
    }),
  ],
  lastSteps: [
    step('removes what is below a prefix, and then the bucket with all of it', async (home) => {
      const found = new RegExp(` ${bucket}$`, 'm');
      assert.match((await aws(home, ['s3', 'ls'])).stdout.toString(), found);
      const removed = (await aws(home, ['s3', 'rm', '--recursive', `${root}/tree/`])).stdout.toString();
      assert.equal(removed.match(/^delete: /gm)?.length, 29);
      await aws(home, ['s3', 'rb', '--force', root]);
      assert.doesNotMatch((await aws(home, ['s3', 'ls'])).stdout.toString(), found);
    }),
  ],
};
