import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { CommandLine } from '../support/command-line.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { testFlags } from '../support/server.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';

interface Usage {
  readonly items: readonly {
    readonly subject: string;
    readonly user_name: string | null;
    readonly meters: readonly { readonly meter: string; readonly used: number | null; readonly share: number | null }[];
  }[];
}

describe('quotas, by a real client, the API and the command line', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: ServeProcess;
  let cli: CommandLine;
  let s3: S3Client;
  const Bucket = 'kept';

  const call = async (method: string, path: string, body?: unknown) => {
    const reply = await fetch(`${server.url}/api/v1/${path}`, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await reply.text();
    return { status: reply.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };
  const put = (Key: string, sizeBytes: number) =>
    s3.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.alloc(sizeBytes, 1) }));
  /** Refused with a quota, once: the client does not try again. */
  const isRefused = (attempt: Promise<unknown>, message: RegExp) =>
    assert.rejects(attempt, (error) => {
      assert.ok(error instanceof S3ServiceException, String(error));
      const { name, $metadata: metadata } = error;
      assert.deepEqual([name, metadata.httpStatusCode, metadata.attempts], ['QuotaExceeded', 403, 1]);
      assert.match(error.message, message);
      return true;
    });
  const meter = async (subject: string, name: string) => {
    const { items } = JSON.parse(await cli.ok('usage', '--json')) as Usage;
    const found = items.find((one) => one.subject === subject || `user:${one.user_name}` === subject);
    return found?.meters.find((one) => one.meter === name);
  };

  before(async () => {
    directory = await temporaryDirectory();
    server = await serveProcess({ ...testFlags(join(directory.path, 'data')), 'log-level': 'warn' });
    cli = new CommandLine(directory.path, () => server.url);
    const place = join(directory.path, 'disk1');
    await mkdir(place);
    await cli.ok('backend', 'add', 'disk1', 'filesystem', '--set', `path=${place}`);
    await cli.ok('bucket', 'create', Bucket);
    const wish = { label: 'alice', bucket: Bucket, permissions: ['read', 'write', 'list', 'delete'] };
    const { body: key } = await call('POST', 'keys', wish);
    const credentials = { accessKeyId: String(key['access_key']), secretAccessKey: String(key['secret']) };
    s3 = new S3Client({ endpoint: server.s3Url, region: 'us-east-1', forcePathStyle: true, credentials });
  });
  after(async () => {
    s3.destroy();
    await server.stop();
    await directory[Symbol.asyncDispose]();
  });

  it('are told what is wrong with them', async () => {
    const wrong: readonly (readonly [string, unknown, number])[] = [
      ['bucket:nowhere', { bytes_max: 1 }, 404],
      ['user:nobody', { bytes_max: 1 }, 404],
      ['backend:disk1', { bytes_max: 1 }, 400],
      ['bucket:kept', {}, 400],
      ['bucket:kept', { bytes_max: null }, 400],
      ['bucket:kept', { bytes_max: -1 }, 400],
      ['bucket:kept', { bytes_max: '9999999999999999999' }, 400],
      ['bucket:kept', { bytes: 1 }, 400],
    ];
    for (const [subject, body, status] of wrong) {
      const reply = await call('PUT', `quotas/${subject}`, body);
      assert.equal(reply.status, status, `${subject} ${JSON.stringify(body)}: ${JSON.stringify(reply.body)}`);
    }
    assert.equal((await call('GET', 'quotas/bucket:kept')).status, 404);
    assert.equal((await call('DELETE', 'quotas/bucket:kept')).status, 404);
    assert.deepEqual((await call('GET', 'quotas')).body, { items: [], next_cursor: null });
  });

  it('count what stands when they are set, refuse what is beyond, and let go what is deleted', async () => {
    await put('a', 3_000);
    assert.match(
      await cli.ok('quota', 'set', 'bucket:kept', '--bytes', '5000', '--objects', '3'),
      /bucket:kept +3000 +5000 +1 +3/,
    );
    await put('b', 2_000);
    await isRefused(put('c', 1), /bucket kept is 5000 bytes, and 5000 are used/);
    const refused = await call('PUT', 'objects/kept/c', { some: 'json' });
    assert.deepEqual([refused.status, refused.body['code']], [403, 'FORBIDDEN']);
    await put('b', 1_000);
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'a' }));
    await put('c', 1);
    await put('d', 1);
    await isRefused(put('e', 1), /3 objects, and 3 are used/);
    assert.match(await cli.ok('quota', 'show', 'bucket:kept'), /bucket:kept +1002 +5000 +3 +3/);
    assert.match(await cli.ok('gateway', 'check'), /findings +0/);
  });

  it('count parts of uploads as they come, and complete without new room', async () => {
    await cli.ok('quota', 'set', 'user:alice', '--bytes', '1500');
    await cli.ok('quota', 'set', 'bucket:kept', '--objects', 'none');
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }));
    const part = (PartNumber: number, sizeBytes: number) =>
      s3.send(new UploadPartCommand({ Bucket, Key: 'parts', UploadId, PartNumber, Body: Buffer.alloc(sizeBytes) }));
    const { ETag } = await part(1, 498);
    await isRefused(part(2, 1), /quota of the user is 1500 bytes, and 1500 are used/);
    await part(1, 498);
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'parts', UploadId, MultipartUpload }));
    assert.equal((await meter('user:alice', 'bytes'))?.used, 1_500);
    assert.equal((await meter('user:alice', 'bytes'))?.share, 1);
    await cli.ok('quota', 'remove', 'user:alice');
    assert.match(await cli.ok('quota', 'list'), /bucket:kept/);
    assert.equal((await call('GET', 'quotas/user:alice')).status, 404);
  });

  it('of a month refuse reads and writes of clients, and never deletes', async () => {
    await cli.ok('quota', 'set', 'bucket:kept', '--bytes', '1MiB');
    await cli.ok('quota', 'set', 'user:alice', '--monthly-ingress', '0');
    const isAdmitted = () =>
      put('small', 1).then(
        () => true,
        () => false,
      );
    // A limit is known when the next picture of all of them is taken.
    await until('the limit is known', async () => !(await isAdmitted()));
    await isRefused(put('small', 1), /bytes of ingress in a month is reached; it ends on \d{4}-\d\d-01/);
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'd' }));
    const used = async (name: string) => (await meter('user:alice', name))!.used!;
    await until('what was written is counted', async () => (await used('ingress')) > 6_500);
    const [ingress, egress] = [(await used('ingress')) + 150_000, (await used('egress')) + 60_000];
    await cli.ok('quota', 'set', 'user:alice', '--monthly-ingress', `${ingress}`, '--monthly-egress', `${egress}`);
    await until('the limit is higher', isAdmitted);
    await isRefused(put('large', 200_000), /bytes of ingress/);
    await put('large', 40_000);
    const get = async () =>
      (await s3.send(new GetObjectCommand({ Bucket, Key: 'large' }))).Body!.transformToByteArray();
    assert.equal((await get()).length, 40_000);
    await get();
    await isRefused(get(), /bytes of egress/);
    await s3.send(new HeadBucketCommand({ Bucket }));
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'large' }));
    await until('it is flushed', async () => ((await meter('user:alice', 'egress'))?.share ?? 0) > 1);
    await cli.ok('keeper', 'run', 'object-usage');
    const warning = await until('a warning', async () => {
      const { body } = await call('GET', 'events?limit=1000');
      const items = body['items'] as { readonly type: string; readonly data: Record<string, unknown> }[];
      return items.find(({ type, data }) => type === 'capacity.warning' && data['meter'] === 'egress');
    });
    assert.equal(warning.data['percent'], 95);
  });

  it('show what everybody uses', async () => {
    const told = await cli.ok('usage');
    assert.match(told, /^backend:disk1 +\d+ +- +\d+/m);
    assert.match(told, /^bucket:kept +\d+ \(\d+ %\) +\d+ +\d+ +\d+ +\d+$/m);
    assert.match(told, /^user:alice /m);
    const first = await call('GET', 'usage?limit=2');
    assert.equal((first.body['items'] as unknown[]).length, 2);
    const next = await call('GET', `usage?limit=2&cursor=${String(first.body['next_cursor'])}`);
    assert.deepEqual([(next.body['items'] as unknown[]).length, next.body['next_cursor']], [1, null]);
  });
});
