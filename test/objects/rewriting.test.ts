import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { keyBlobPrefix } from '../../src/objects/encryption/key-blobs.ts';
import { listRewrites, startRewrite } from '../../src/objects/ledger/rewrites.ts';
import type { RewriteAction } from '../../src/objects/rewriting/plan.ts';
import type { RewriteRow } from '../../src/objects/tables.ts';
import { onEveryStore, type StoreEngine } from '../support/stores.ts';
import { assertClean, beginUpload, complete, copy, count, put, putPart, read, remove } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';
import { testRootKeys } from './test-keys.ts';

const signal = new AbortController().signal;
const words = Buffer.from('the same words again and again, '.repeat(40_000));

async function open(engine: StoreEngine, backends = 1): Promise<Lab> {
  const lab = await openLab(engine, labBackends(backends), testRootKeys('root', 'other'));
  await lab.bucket('box', { copies: backends });
  return lab;
}

let passes = 0;
async function pass(lab: Lab, action: RewriteAction, bucket: string | null = null): Promise<RewriteRow> {
  const wish = { id: `rw-${passes++}`, action, bucket, actor: 'tester', created_at: lab.clock.nowMs() + passes };
  await lab.store.write(startRewrite, wish);
  await lab.keepers().rewriter.run(signal);
  const [row] = await lab.store.read((reader) => listRewrites(reader, 1));
  assert.equal(row!.state, 'completed');
  return row!;
}

function storedBytes(lab: Lab): number {
  const blobs = [...lab.backends[0]!.backend.blobs].filter(([key]) => !key.startsWith(keyBlobPrefix));
  return blobs.reduce((sum, [, { bytes }]) => sum + bytes.length, 0);
}

function isInClear(lab: Lab, text: string): boolean {
  return lab.backends.some(({ backend }) => [...backend.blobs.values()].some(({ bytes }) => bytes.includes(text)));
}

onEveryStore('objects that stand', (engine) => {
  test('are encrypted, given new keys and decrypted, and nothing of them that a client sees changes', async () => {
    const lab = await open(engine, 2);
    await lab.bucket('versions', { versioning: 'enabled', copies: 1 });
    const first = await put(lab, 'box', 'small', 'words to be hidden');
    await put(lab, 'box', 'large', stream(words), { sizeBytes: words.length });
    await put(lab, 'box', 'empty', Buffer.alloc(0));
    const old = await put(lab, 'versions', 'k', 'an older version, to be hidden');
    await put(lab, 'versions', 'k', 'the newer version, to be hidden');
    await copy(lab, ['box', 'small'], ['versions', 'shared']);
    const upload = await beginUpload(lab, 'box', 'parts');
    const parts = [
      await putPart(lab, upload, 1, Buffer.alloc(5 * 1024 ** 2, 'a')),
      await putPart(lab, upload, 3, Buffer.from('the end, to be hidden')),
    ];
    const whole = await complete(lab, upload, parts);
    const before = await facts(lab);
    const check = async () => {
      await assertClean(lab);
      assert.deepEqual(await facts(lab), before);
      assert.equal(String(await read(lab, 'box', 'small')), 'words to be hidden');
      assert.equal(String(await read(lab, 'versions', 'shared')), 'words to be hidden');
      assert.equal(String(await read(lab, 'versions', 'k', old.versionId)), 'an older version, to be hidden');
      assert.deepEqual(await read(lab, 'box', 'large'), words);
      assert.equal((await read(lab, 'box', 'parts')).length, whole.sizeBytes);
    };
    assert.ok(isInClear(lab, 'to be hidden'));
    const encrypted = await pass(lab, 'encrypt');
    assert.deepEqual([encrypted.rewritten, encrypted.failed], [6, 0]);
    await check();
    assert.ok(!isInClear(lab, 'to be hidden'));
    assert.deepEqual((await lab.gateway.objects.stat(first)).attributes.encryption, { kind: 'aes256' });

    assert.equal((await pass(lab, 'encrypt')).rewritten, 0, 'a second pass finds nothing to do');
    assert.equal((await pass(lab, 're-key')).rewritten, 0);
    await lab.keyring!.rotate('tester');
    const contents = await contentIds(lab);
    assert.equal((await pass(lab, 're-key')).rewritten, 6);
    await check();
    assert.ok((await contentIds(lab)).every((id) => !contents.includes(id)));

    assert.equal((await pass(lab, 'decrypt')).rewritten, 6);
    await check();
    assert.ok(isInClear(lab, 'to be hidden'));
    assert.equal(await count(lab.store, "uploads where owner = 'holdfast:rewrite'"), 0);
    await lab.close();
  });

  test('are compressed where they shrink, once and for all, and read in ranges', async () => {
    const lab = await open(engine);
    await put(lab, 'box', 'words', stream(words), { sizeBytes: words.length });
    const noise = randomBytes(400_000);
    await put(lab, 'box', 'noise', stream(noise), { sizeBytes: noise.length });
    const done = await pass(lab, 'compress');
    assert.deepEqual([done.seen, done.rewritten, done.failed], [2, 1, 0]);
    await assertClean(lab);
    assert.ok(storedBytes(lab) < 500_000);
    assert.deepEqual(await read(lab, 'box', 'words'), words);
    const range = { offset: 1_048_570, length: 20 };
    const found = await lab.gateway.objects.open({ bucket: 'box', key: 'words', range: () => range, signal });
    assert.deepEqual(found.content, words.subarray(range.offset, range.offset + range.length));
    const { gets } = await getsDuring(lab, () => pass(lab, 'compress'));
    assert.equal(gets, 0, 'what did not shrink is not tried again');
    assert.equal((await pass(lab, 'encrypt')).rewritten, 2);
    assert.deepEqual(await read(lab, 'box', 'words'), words);
    await assertClean(lab);
    assert.ok(storedBytes(lab) < 500_000, 'what was compressed stays so');
    await remove(lab, 'box', 'noise');
    assert.equal((await pass(lab, 'decompress')).rewritten, 1);
    assert.equal(await count(lab.store, 'incompressible'), 0, 'what is gone is forgotten');
    await assertClean(lab);
    await lab.close();
  });

  test('of a bucket that compresses are compressed at once when they are small', async () => {
    const lab = await open(engine);
    await lab.bucket('tight', { compression: 'zstd', encryption: { kind: 'aes256' } });
    await put(lab, 'tight', 'k', words.subarray(0, 200_000));
    assert.ok(storedBytes(lab) < 20_000);
    assert.deepEqual(await read(lab, 'tight', 'k'), words.subarray(0, 200_000));
    await assertClean(lab);
    await lab.close();
  });

  test('in parts are written where no client sees them, or puts anything', async () => {
    const lab = await open(engine);
    const upload = await beginUpload(lab, 'box', 'k');
    const parts = [
      await putPart(lab, upload, 1, Buffer.alloc(5 * 1024 ** 2, 'a')),
      await putPart(lab, upload, 2, Buffer.from('the end')),
    ];
    await complete(lab, upload, parts);
    const { uploads } = lab.gateway;
    const write = lab.gateway.writer.write.bind(lab.gateway.writer);
    let seen = 0;
    lab.gateway.writer.write = (incoming, target, commit) =>
      write(incoming, target, async (written) => {
        seen++;
        const ref = { bucket: 'box', key: 'k', uploadId: written.written.contentId };
        await assert.rejects(uploads.get(ref), /upload does not exist/);
        const wish = { bucket: 'box', prefix: '', delimiter: null, after: null, limit: 10 };
        assert.deepEqual((await uploads.list(wish)).uploads, []);
        await assert.rejects(uploads.abort(ref, 'tester'), /upload does not exist/);
        return commit(written);
      });
    assert.equal((await pass(lab, 'encrypt')).rewritten, 1);
    lab.gateway.writer.write = write;
    assert.equal(seen, 2);
    assert.ok((await read(lab, 'box', 'k')).toString('latin1').endsWith('athe end'));
    await assertClean(lab);
    await lab.close();
  });

  test('failure 22: a client that writes meanwhile wins always', async () => {
    const lab = await open(engine);
    await put(lab, 'box', 'k', 'the first');
    const write = lab.gateway.writer.write.bind(lab.gateway.writer);
    // Between what the pass has written and its commit.
    lab.gateway.writer.write = (incoming, target, commit) =>
      write(incoming, target, async (written) => {
        lab.gateway.writer.write = write;
        await put(lab, 'box', 'k', 'the second');
        return commit(written);
      });
    const raced = await pass(lab, 'encrypt');
    assert.deepEqual([raced.rewritten, raced.failed], [0, 1]);
    assert.match(raced.last_error!, /changed while it was rewritten/);
    assert.equal(String(await read(lab, 'box', 'k')), 'the second');
    await assertClean(lab);
    await lab.close();
  });

  test('that cannot be read stay as they are, and are told', async () => {
    const lab = await open(engine);
    await put(lab, 'box', 'k', randomBytes(1_000));
    const blob = [...lab.backends[0]!.backend.blobs.entries()].find(([key]) => key.startsWith('box/'))![1];
    (blob as { bytes: Buffer }).bytes = Buffer.concat([randomBytes(10), blob.bytes.subarray(10)]);
    const failed = await pass(lab, 'encrypt');
    assert.deepEqual([failed.rewritten, failed.failed], [0, 1]);
    assert.match(failed.last_error!, /checksum is wrong/);
    await lab.close();
  });
});

async function facts(lab: Lab): Promise<unknown[]> {
  const statement = `select bucket, object_key, version_id, seq, is_latest, size_bytes, etag, modified_at from objects
    order by bucket, object_key, seq`;
  return lab.store.read((reader) => reader.rows(statement, []));
}

async function contentIds(lab: Lab): Promise<string[]> {
  const rows = await lab.store.read((reader) =>
    reader.rows<{ content_id: string }>('select content_id from objects', []),
  );
  return rows.map(({ content_id: id }) => id);
}

async function getsDuring(lab: Lab, work: () => Promise<unknown>): Promise<{ readonly gets: number }> {
  const { backend } = lab.backends[0]!;
  const get = backend.get.bind(backend);
  let gets = 0;
  backend.get = (...parameters) => {
    gets++;
    return get(...parameters);
  };
  await work();
  backend.get = get;
  return { gets };
}

async function* stream(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 60_000) yield bytes.subarray(at, at + 60_000);
}
