import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { apacheMissing, startApache } from '../../../../test/support/apache.ts';
import { radosgwAvailable, startRadosgw } from '../../../../test/support/radosgw.ts';
import { rcloneMissing } from '../../../../test/support/rclone.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { chunksOf } from '../../content/content.ts';
import type { BackendSettings, ObjectBackend } from '../backend.ts';
import { rcloneKind } from './rclone.ts';

const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';
const MIB = 1024 * 1024;
const bigBytes = 24 * MIB;

/** A real system behind rclone; the whole conformance suite on each would take minutes. */
interface Rig {
  readonly settings: BackendSettings;
  /** The same with a secret that is wrong. */
  readonly wrongSettings: BackendSettings;
  stop(): Promise<void>;
}

function remoteTests(name: string, missing: string | null, start: () => Promise<Rig>): void {
  describe(name, { skip: isRequired ? false : (rcloneMissing() ?? missing ?? false) }, () => {
    let rig: Rig;
    let backend: ObjectBackend;
    before(async () => {
      rig = await start();
      backend = open(rig.settings);
    });
    after(async () => {
      await backend.close();
      await rig.stop();
    });

    it('says in health what it is', async () => {
      assert.match((await backend.health(soon())).detail, /^rclone v\d/);
    });

    it('failure 14: holds a stream of many parts whole, and gives any range of it', async () => {
      await backend.put('big', stream(bigBytes), { sizeBytes: bigBytes, signal: soon() });
      assert.equal((await backend.head('big', soon()))?.sizeBytes, bigBytes);
      const range = { offset: 7 * MIB - 3, length: 5 * MIB };
      const part = await read(backend, 'big', range);
      assert.ok(part.equals(pattern(bigBytes).subarray(range.offset, range.offset + range.length)));
      assert.equal((await read(backend, 'big')).length, bigBytes);
    });

    it('failure 14: has nothing of a source that breaks', async () => {
      const broken = new Error('the client is gone');
      async function* breaking(): AsyncGenerator<Buffer> {
        yield* stream(12 * MIB);
        throw broken;
      }
      const putting = backend.put('broken', breaking(), { sizeBytes: bigBytes, signal: soon() });
      await assert.rejects(putting, (error) => error === broken);
      assert.equal(await backend.head('broken', soon()), null);
      assert.equal(await backend.get('broken', null, soon()), null);
    });

    it('lists in byte order, copies, and deletes', async () => {
      const keys = ['l/b', 'l/a/c', 'l/a', 'l/a-', 'l/é', 'l/a/', 'l/.', 'l/%2F'];
      for (const key of keys) await put(backend, key);
      const page = await backend.list({ prefix: 'l/', limit: 100 }, soon());
      const ordered = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(
        page.blobs.map(({ key }) => key),
        ordered,
      );
      assert.equal(backend.capabilities.serverSideCopy, true);
      assert.equal(await backend.copy('l/b', 'l/copy', soon()), 'copied');
      assert.equal((await read(backend, 'l/copy')).toString(), 'l/b');
      for (const key of [...keys, 'l/copy', 'big']) assert.equal(await backend.delete(key, soon()), 'deleted', key);
      assert.equal(await backend.delete('l/b', soon()), 'absent');
      assert.deepEqual((await backend.list({ prefix: '', limit: 100 }, soon())).blobs, []);
    });

    it('failure 20: takes a refusal for an error, not for absence, and shows no secret', async () => {
      const wrong = open(rig.wrongSettings);
      try {
        await assert.rejects(wrong.head('x', soon()), isSilentFault);
        await assert.rejects(wrong.get('x', null, soon()), isSilentFault);
        await assert.rejects(put(wrong, 'x'), isSilentFault);
        await assert.rejects(wrong.delete('x', soon()), isSilentFault);
        await assert.rejects(wrong.list({ prefix: '', limit: 1 }, soon()), isSilentFault);
      } finally {
        await wrong.close();
      }
    });
  });
}

remoteTests('rclone with an s3 remote (radosgw)', radosgwAvailable(), async () => {
  const radosgw = await startRadosgw();
  const { accessKey, secret } = radosgw.credentials;
  await radosgw.call('PUT', '/bucket');
  // Parts as small as S3 allows, so that a stream needs several.
  const sizes = { option_chunk_size: '5Mi', option_upload_cutoff: '5Mi' };
  const s3 = { option_provider: 'Ceph', option_endpoint: radosgw.endpoint, option_access_key_id: accessKey };
  const config = { remote_type: 's3', remote_path: 'bucket/below', ...s3, ...sizes };
  return {
    settings: { config, secrets: { option_secret_access_key: secret } },
    wrongSettings: { config, secrets: { option_secret_access_key: wrongSecret } },
    stop: () => radosgw.stop(),
  };
});

remoteTests('rclone with a webdav remote (Apache mod_dav)', apacheMissing(), async () => {
  const apache = await startApache();
  const { url, username, password } = apache;
  const config = { remote_type: 'webdav', option_url: url, option_user: username, option_vendor: 'other' };
  return {
    settings: { config, secrets: { option_pass: password } },
    wrongSettings: { config, secrets: { option_pass: wrongSecret } },
    stop: () => apache.stop(),
  };
});

const wrongSecret = 'a-secret-that-is-wrong';

function isSilentFault(error: unknown): boolean {
  assert.ok(error instanceof HoldfastError, String(error));
  assert.equal(error.kind, 'backend', error.message);
  assert.ok(!`${error.message}${JSON.stringify(error.details)}`.includes(wrongSecret));
  return true;
}

function open(settings: BackendSettings): ObjectBackend {
  return rcloneKind.open(rcloneKind.validate(settings));
}

function put(backend: ObjectBackend, key: string): Promise<void> {
  const bytes = Buffer.from(key);
  return backend.put(key, bytes, { sizeBytes: bytes.length, signal: soon() });
}

async function read(backend: ObjectBackend, key: string, range: { offset: number; length: number } | null = null) {
  const opened = await backend.get(key, range, soon());
  assert.ok(opened !== null);
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(opened.content)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes that tell their place. */
function pattern(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let offset = 0; offset < bytes; offset += 4096) buffer.writeUInt32LE(offset, offset);
  return buffer;
}

async function* stream(bytes: number): AsyncGenerator<Buffer> {
  const whole = pattern(bytes);
  for (let offset = 0; offset < bytes; offset += 262_144) yield whole.subarray(offset, offset + 262_144);
}

function soon(): AbortSignal {
  return AbortSignal.timeout(60_000);
}
