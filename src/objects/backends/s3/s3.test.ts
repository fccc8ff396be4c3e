import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Radosgw, startRadosgw, withRadosgw } from '../../../../test/support/radosgw.ts';
import { until } from '../../../../test/support/wait.ts';
import { chunksOf } from '../../content/content.ts';
import { objectBackendConformance } from '../backend.conformance.ts';
import { bytesOf, chunked, freshChunks } from '../conformance/sources.ts';
import type { S3Backend, S3Surroundings } from './s3.ts';
import { MIB, backendOf, backendOn, deadline, isError, loopback } from './testkit.ts';

withRadosgw('s3 on a real radosgw', () => {
  let gateway: Radosgw;
  before(async () => {
    gateway = await startRadosgw();
  });
  after(() => gateway.stop());

  async function newBucket(): Promise<string> {
    const bucket = `b-${randomUUID()}`;
    await gateway.call('PUT', `/${bucket}`);
    return bucket;
  }

  objectBackendConformance('s3 in path style', async () => ({
    backend: backendOn(gateway, { bucket: await newBucket() }),
  }));

  // Every host is below a name that no resolver knows, and blobs of more than 5 MiB go in parts.
  objectBackendConformance(
    's3 in virtual-host style, in parts',
    async () => {
      const config = { path_style: 'false', multipart_part_bytes: String(5 * MIB) };
      const endpoint = `http://${gateway.dnsName}:${gateway.port}`;
      const bucket = await newBucket();
      return { backend: backendOn(gateway, { ...config, endpoint, bucket }, { lookup: loopback }) };
    },
    { propertyRuns: 10 },
  );

  async function withBackend(
    config: Readonly<Record<string, string>>,
    work: (backend: S3Backend, bucket: string) => Promise<void>,
    surroundings: S3Surroundings = {},
  ): Promise<void> {
    const bucket = await newBucket();
    const backend = backendOn(gateway, { bucket, ...config }, surroundings);
    try {
      await work(backend, bucket);
    } finally {
      await backend.close();
    }
  }

  const uploadsOf = (bucket: string): Promise<string> => gateway.call('GET', `/${bucket}?uploads=`);

  test('failure 23: a large blob goes in parts as it comes, and is the same when it is read', async () => {
    await withBackend({ multipart_part_bytes: String(16 * MIB) }, async (backend, bucket) => {
      const sizeBytes = 70 * MIB + 3;
      const sent = createHash('sha256');
      async function* hashed(): AsyncGenerator<Buffer> {
        for await (const chunk of freshChunks(sizeBytes, 300_007, () => undefined)) {
          sent.update(chunk);
          yield chunk;
        }
      }
      await backend.put('large', hashed(), { sizeBytes, signal: deadline() });
      const opened = await backend.get('large', null, deadline());
      assert.equal(opened?.sizeBytes, sizeBytes);
      const read = createHash('sha256');
      for await (const chunk of chunksOf(opened.content)) read.update(chunk);
      assert.equal(read.digest('hex'), sent.digest('hex'));
      const listed = await gateway.call('GET', `/${bucket}?list-type=2`);
      assert.match(listed, /<ETag>&quot;[0-9a-f]{32}-5&quot;<\/ETag>/, 'five parts');
      assert.doesNotMatch(await uploadsOf(bucket), /<Upload>/);
      assert.equal(await backend.delete('large', deadline()), 'deleted');
    });
  });

  test('failure 23: uploads that were left behind are aborted by delete, and others are not', async () => {
    await withBackend({}, async (backend, bucket) => {
      for (const key of ['left', 'left', 'left/below', 'lefter'])
        await gateway.call('POST', `/${bucket}/${key}?uploads=`);
      assert.equal(await backend.delete('left', deadline()), 'absent');
      const keys = (await uploadsOf(bucket)).match(/<Key>[^<]*<\/Key>/g);
      assert.deepEqual(keys, ['<Key>left/below</Key>', '<Key>lefter</Key>']);
    });
  });

  test('failure 14: a source that breaks in a later part leaves neither a blob nor an upload', async () => {
    await withBackend({ multipart_part_bytes: String(5 * MIB) }, async (backend, bucket) => {
      const broken = new Error('the client is gone');
      const source = freshChunks(20 * MIB, 65_536, ({ pulledBytes }) => {
        if (pulledBytes > 12 * MIB) throw broken;
      });
      const putting = backend.put('key', source, { sizeBytes: 20 * MIB, signal: deadline() });
      await assert.rejects(putting, (error) => error === broken);
      assert.equal(await backend.head('key', deadline()), null);
      await until('the upload is gone', async () => !/<Upload>/.test(await uploadsOf(bucket)));
    });
  });

  test('a copy that is too large for one request goes in parts', async () => {
    const copyLimits = { wholeBytesMax: 6 * MIB, partBytes: 5 * MIB };
    const work = async (backend: S3Backend): Promise<void> => {
      const bytes = bytesOf(12 * MIB + 5);
      await backend.put('från/ü +', chunked(bytes, [MIB]), { sizeBytes: bytes.length, signal: deadline() });
      assert.equal(await backend.copy('från/ü +', 'till', deadline()), 'copied');
      const opened = await backend.get('till', null, deadline());
      const chunks: Buffer[] = [];
      for await (const chunk of chunksOf(opened!.content)) chunks.push(chunk);
      assert.ok(Buffer.concat(chunks).equals(bytes));
      assert.equal(await backend.copy('nothing', 'till', deadline()), 'absent');
    };
    await withBackend({}, work, { copyLimits });
  });

  test('two prefixes in one bucket are two backends that do not see each other', async () => {
    await withBackend({ prefix: 'a b/ü+%' }, async (backend, bucket) => {
      const other = backendOn(gateway, { bucket, prefix: 'a b/ü+%/' });
      const keysOf = async (one: S3Backend, after?: string): Promise<string[]> => {
        const page = { prefix: '', limit: 1000, ...(after === undefined ? {} : { after }) };
        return (await one.list(page, deadline())).blobs.map(({ key }) => key);
      };
      for (const key of ['1', '2', '3']) await backend.put(key, Buffer.from(key), { sizeBytes: 1, signal: deadline() });
      assert.deepEqual(await keysOf(backend, '1'), ['2', '3']);
      assert.deepEqual(await keysOf(other), []);
      assert.equal(await other.head('1', deadline()), null);
      assert.equal(await backend.copy('1', '4', deadline()), 'copied');
      assert.deepEqual((await backend.get('4', null, deadline()))?.content, Buffer.from('1'));
      assert.match(await gateway.call('GET', `/${bucket}?list-type=2`), /<Key>a b\/ü\+%4<\/Key>/);
      await other.close();
    });
  });

  test('health names bucket and place; wrong credentials and a missing bucket are told as such', async () => {
    await withBackend({ prefix: 'below/' }, async (backend, bucket) => {
      const { detail } = await backend.health(deadline());
      assert.match(detail, new RegExp(`bucket ${bucket} below "below/" at 127.0.0.1:${gateway.port}`));
      const { endpoint, credentials } = gateway;
      const wrongSecret = backendOf({ endpoint, bucket }, {}, credentials.accessKey);
      const unknownKey = backendOf({ endpoint, bucket }, {}, 'NOBODY');
      const noBucket = backendOn(gateway, { bucket: 'no-such-bucket' });
      for (const wrong of [wrongSecret, unknownKey]) {
        const refused = isError('backend', { reason: 'credentials' }, /refuses the access key/);
        await assert.rejects(wrong.health(deadline()), refused);
        const content = chunked(bytesOf(MIB), [65_536]);
        await assert.rejects(wrong.put('key', content, { sizeBytes: MIB, signal: deadline() }), refused);
        await wrong.close();
      }
      const missing = isError('backend', { reason: 'no_bucket' }, /no bucket no-such-bucket/);
      await assert.rejects(noBucket.health(deadline()), missing);
      await assert.rejects(noBucket.head('key', deadline()), missing);
      await assert.rejects(noBucket.get('key', null, deadline()), missing);
      await noBucket.close();
    });
  });

  test('a full bucket is told as full', async () => {
    await withBackend({}, async (backend, bucket) => {
      await gateway.admin('quota', 'set', '--quota-scope=bucket', `--bucket=${bucket}`, '--max-objects=1');
      await gateway.admin('quota', 'enable', '--quota-scope=bucket', `--bucket=${bucket}`);
      const put = (key: string): Promise<void> =>
        backend.put(key, Buffer.from(key), { sizeBytes: 1, signal: deadline() });
      await put('a');
      await assert.rejects(put('b'), isError('backend', { reason: 'full', outcome: undefined }));
      assert.equal(await backend.head('b', deadline()), null);
    });
  });

  test('a bucket that keeps versions keeps no bytes of a deleted blob', async () => {
    await withBackend({}, async (backend, bucket) => {
      const enabled = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
      await gateway.call('PUT', `/${bucket}?versioning=`, enabled);
      for (let turn = 0; turn < 3; turn++)
        await backend.put('a', Buffer.from('a'), { sizeBytes: 1, signal: deadline() });
      const versions = (): Promise<string> => gateway.call('GET', `/${bucket}?versions=`);
      assert.equal((await versions()).match(/<Version>/g)?.length, 3);
      assert.equal(await backend.delete('a', deadline()), 'deleted');
      assert.doesNotMatch(await versions(), /<Version>|<DeleteMarker>/);
      assert.equal(await backend.head('a', deadline()), null);
    });
  });

  test('failure 25: a server that hangs ends calls after the idle time, and serves again afterwards', async () => {
    await withBackend({}, async (patient, bucket) => {
      await patient.put('a', Buffer.from('a'), { sizeBytes: 1, signal: deadline() });
      const backend = backendOn(gateway, { bucket, idle_timeout_ms: '500' });
      await gateway.pause();
      try {
        const late = isError('unavailable', { idle_timeout_ms: 500 });
        await assert.rejects(backend.head('a', deadline()), late);
        const content = chunked(bytesOf(8 * MIB), [65_536]);
        await assert.rejects(backend.put('b', content, { sizeBytes: 8 * MIB, signal: deadline() }), late);
      } finally {
        gateway.resume();
      }
      // On a busy machine a server that works may need longer than that idle time now and then.
      const found = await until('it serves again', () => backend.head('a', deadline()).catch(() => null));
      assert.equal(found.sizeBytes, 1);
      await backend.close();
    });
  });
});
