import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeDescription, openDescription } from '../../src/objects/content/description.ts';
import { openDataKey } from '../../src/objects/encryption/data-key.ts';
import { keepKeyBlobs, keyBlobPrefix, readKeyBlobs } from '../../src/objects/encryption/key-blobs.ts';
import { localRootKey } from '../../src/objects/encryption/root-key.ts';
import { onEveryStore, type StoreEngine } from '../support/stores.ts';
import { assertClean, beginUpload, chunked, complete, copy, count, put, putPart, read } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';
import { openTestKeyring, rootKeysOf, testRootKeys } from './test-keys.ts';

const encrypted = { encryption: { kind: 'aes256' } } as const;
const signal = new AbortController().signal;

async function open(engine: StoreEngine, backends = 1): Promise<Lab> {
  const lab = await openLab(engine, labBackends(backends), testRootKeys('root'));
  await lab.bucket('safe', { copies: backends, ...encrypted });
  return lab;
}

function ownBlobs(lab: Lab, index = 0) {
  return [...lab.backends[index]!.backend.blobs].filter(([key]) => !key.startsWith(keyBlobPrefix));
}

async function rangeOf(lab: Lab, key: string, offset: number, length: number): Promise<Buffer> {
  const { content } = await lab.gateway.objects.open({
    bucket: 'safe',
    key,
    range: () => ({ offset, length }),
    signal,
  });
  const pieces: Buffer[] = [];
  if (Buffer.isBuffer(content)) return content;
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

onEveryStore('encrypted objects', (engine) => {
  test('of every size are read as they were written, whole and in ranges, and stand nowhere in the clear', async () => {
    const lab = await open(engine, 2);
    for (const sizeBytes of [0, 1, 65_535, 65_536, 65_537, 300_000, 1_000_000]) {
      const bytes = randomBytes(sizeBytes);
      const source = sizeBytes > 262_144 ? { content: streamOf(bytes), sizeBytes } : { content: bytes };
      await put(lab, 'safe', 'k', source.content, { sizeBytes });
      assert.deepEqual(await read(lab, 'safe', 'k'), bytes);
      if (sizeBytes > 0) {
        const ranges = fc.tuple(fc.nat(sizeBytes - 1), fc.nat(sizeBytes - 1));
        const property = fc.asyncProperty(ranges, async ([offset, more]) => {
          const length = 1 + (more % (sizeBytes - offset));
          assert.deepEqual(await rangeOf(lab, 'k', offset, length), bytes.subarray(offset, offset + length));
        });
        await fc.assert(property, { numRuns: 8 });
      }
    }
    await put(lab, 'safe', 'words', 'nobody shall read this');
    assert.ok(ownBlobs(lab).every(([, { bytes }]) => !bytes.includes('nobody shall')));
    await assertClean(lab);
    assert.deepEqual(lab.problems, []);
    await lab.close();
  });

  test('in parts have a data key for each part, and share content with what wants the same', async () => {
    const lab = await open(engine);
    const upload = await beginUpload(lab, 'safe', 'parts');
    const parts = [
      await putPart(lab, upload, 1, chunked(5 * 1024 ** 2), 5 * 1024 ** 2),
      await putPart(lab, upload, 2, Buffer.from('the end')),
    ];
    await complete(lab, upload, parts);
    const forms = await lab.store.read((reader) => reader.rows<{ form: string }>('select form from copies', []));
    assert.equal(new Set(forms.map(({ form }) => JSON.parse(form).sealed.key as string)).size, 2);
    assert.equal((await rangeOf(lab, 'parts', 5 * 1024 ** 2 - 2, 9)).toString('latin1'), '\x4f\x4fthe end');
    await copy(lab, ['safe', 'parts'], ['safe', 'copy']);
    assert.equal(await count(lab.store, 'copies'), 2);
    assert.deepEqual(await read(lab, 'safe', 'copy'), await read(lab, 'safe', 'parts'));
    await assertClean(lab);
    await lab.close();
  });

  test('failure 22: are encrypted once, so that all copies are the same bytes, also one that comes later', async () => {
    const lab = await open(engine, 2);
    await lab.setState('m2', 'draining');
    await put(lab, 'safe', 'k', randomBytes(100_000)).catch(() => {});
    await lab.setState('m2', 'active');
    await put(lab, 'safe', 'k', randomBytes(100_000), {});
    await lab.bucket('one', { copies: 1, ...encrypted });
    await put(lab, 'one', 'k', randomBytes(400_000));
    await lab.gateway.buckets.update('one', (settings) => ({ ...settings, copies: 2 }), 'tester');
    await assertClean(lab);
    const bodies = [0, 1].map(
      (index) => new Set(ownBlobs(lab, index).map(([, { bytes }]) => bytes.toString('base64'))),
    );
    assert.deepEqual(bodies[0], bodies[1]);
    await lab.close();
  });

  test('that were changed on a backend are healed from another copy, and never given out', async () => {
    const lab = await open(engine, 2);
    const bytes = randomBytes(500_000);
    await put(lab, 'safe', 'k', streamOf(bytes), { sizeBytes: bytes.length });
    const blob = ownBlobs(lab)[0]![1] as { bytes: Buffer };
    blob.bytes = Buffer.from(blob.bytes);
    blob.bytes[70_000]! ^= 1;
    // The chunk at fault is not the first one: the stream breaks, rather than going on with other bytes.
    await assert.rejects(read(lab, 'safe', 'k'), /chunk 1 of it was changed/);
    assert.deepEqual(await rangeOf(lab, 'k', 65_536, 1), bytes.subarray(65_536, 65_537));
    await assertClean(lab);
    assert.deepEqual(await read(lab, 'safe', 'k'), bytes);
    await lab.close();
  });

  test('failure 14: cut to fewer chunks, or swapped with another object of the same length, are not read', async () => {
    const lab = await open(engine);
    await put(lab, 'safe', 'a', randomBytes(200_000));
    await put(lab, 'safe', 'b', randomBytes(200_000));
    const blobs = ownBlobs(lab).map(([, blob]) => blob as { bytes: Buffer });
    const [first, second] = blobs.map(({ bytes }) => bytes);
    blobs[0]!.bytes = second!;
    blobs[1]!.bytes = first!;
    for (const key of ['a', 'b']) await assert.rejects(read(lab, 'safe', key), /was changed/);
    blobs[0]!.bytes = Buffer.concat([first!.subarray(0, 65_552), first!.subarray(-300)]);
    await assert.rejects(read(lab, 'safe', 'a'), /too short|was changed|too few/);
    await lab.close();
  });

  test('failure 13: whose key is not known are refused with its id, and no other key is tried', async () => {
    const lab = await open(engine);
    await put(lab, 'safe', 'k', 'secret');
    const other = await openLab(engine, labBackends(1), testRootKeys('root'));
    const [kek] = lab.keyring!.keks;
    await assert.rejects(other.keyring!.find(kek!.id), new RegExp(`The encryption key ${kek!.id} is not known`));
    await other.close();
    await lab.close();
  });
});

onEveryStore('keys', (engine) => {
  test('are rotated in the ledger and on the backends, and all objects stay readable with the new root key alone', async () => {
    const old = localRootKey('old', randomBytes(32), 'test');
    const next = localRootKey('next', randomBytes(32), 'test');
    const backends = labBackends(2);
    const lab = await openLab(engine, backends, rootKeysOf([old]));
    await lab.bucket('safe', { copies: 2, ...encrypted });
    for (let index = 0; index < 20; index++) await put(lab, 'safe', `k${index}`, `content ${index}`);
    const before = ownBlobs(lab).map(([key]) => key);
    const rotating = await openTestKeyring(lab.store, rootKeysOf([next, old]), lab.registry);
    assert.equal(await rotating.rotate('tester'), 1);
    assert.deepEqual(new Set((await rotating.status()).map(({ rootKeyId }) => rootKeyId)), new Set(['next']));
    assert.deepEqual(
      ownBlobs(lab).map(([key]) => key),
      before,
      'no object was touched',
    );
    // A process that still has the old key in memory goes on, and one that starts needs the new one only.
    await put(lab, 'safe', 'later', 'by the old process');
    const after = await openTestKeyring(lab.store, rootKeysOf([next]), lab.registry);
    assert.equal(after.keks.length, 2);
    for (const { id, bytes } of lab.keyring!.keks) assert.deepEqual((await after.find(id)).bytes, bytes);
    await assert.rejects(
      openTestKeyring(lab.store, rootKeysOf([old])),
      /wrapped by the root key next, which is not configured/,
    );
    const impostor = localRootKey('next', randomBytes(32), 'test');
    await assert.rejects(openTestKeyring(lab.store, rootKeysOf([impostor])), /is not the one that wrapped it/);
    for (const { backend } of backends) {
      const keys = [...backend.blobs.keys()].filter((key) => key.startsWith(keyBlobPrefix));
      assert.equal(keys.length, 2);
      assert.ok(
        keys.every((key) => key.endsWith('.next')),
        'nothing wrapped by the old root key is left',
      );
    }
    for (let index = 0; index < 20; index++)
      assert.equal(String(await read(lab, 'safe', `k${index}`)), `content ${index}`);
    await lab.close();
  });

  test('are made and rotated by several processes at once as if by one', async () => {
    const root = localRootKey('root', randomBytes(32), 'test');
    const lab = await openLab(engine, labBackends(1));
    const enter = () => openTestKeyring(lab.store, rootKeysOf([root]), lab.registry);
    const rings = await Promise.all([enter(), enter(), enter()]);
    assert.equal(new Set(rings.map((ring) => [...ring.currentIds].join())).size, 1);
    assert.equal(await count(lab.store, 'encryption_keys'), 1);
    await Promise.all(rings.map((ring) => ring.rotate('tester')));
    for (const ring of rings) await ring.refresh();
    assert.equal(new Set(rings.map((ring) => [...ring.currentIds].join())).size, 1);
    assert.equal(await count(lab.store, 'encryption_keys'), 4);
    assert.equal(await count(lab.store, "encryption_keys where state = 'current'"), 1);
    const again = await enter();
    for (const { id, bytes } of rings[0]!.keks) assert.deepEqual((await again.find(id)).bytes, bytes);
    await lab.close();
  });

  test('are found on the backends alone, with which each blob tells what it is and proves it', async () => {
    const root = localRootKey('root', randomBytes(32), 'test');
    const lab = await openLab(engine, labBackends(1), rootKeysOf([root]));
    await lab.bucket('safe', encrypted);
    await put(lab, 'safe', 'k', 'content', {
      attributes: { contentType: 'text/x', headers: {}, metadata: { a: 'b' } },
    });
    await keepKeyBlobs(lab.registry, lab.keyring!.keks, signal, (error) => assert.fail(String(error)));
    const found = [];
    for await (const kek of readKeyBlobs(lab.registry.all[0]!, signal)) found.push(kek);
    assert.equal(found.length, 1);
    const kek = await root.unwrap(found[0]!.wrapped, found[0]!.id);
    const [, { bytes }] = ownBlobs(lab)[0]!;
    const claimed = decodeDescription(bytes)!;
    assert.deepEqual(claimed.kek, found[0], 'each blob has it too, as it was wrapped then');
    const dataKey = openDataKey(kek, claimed.form!.sealed!.key, claimed)!;
    const { bucket, key, sizeBytes, md5, attributes } = openDescription(bytes, dataKey)!;
    assert.deepEqual(
      { bucket, key, sizeBytes, md5, contentType: attributes.contentType },
      { bucket: 'safe', key: 'k', sizeBytes: 7, md5: '9a0364b9e99bb480dd25e1f0284c8555', contentType: 'text/x' },
    );
    await lab.close();
  });
});

async function* streamOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
}
