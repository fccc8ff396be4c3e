import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { refuseLostKeys } from '../../src/objects/encryption/keyring.ts';
import { keyBlobPrefix } from '../../src/objects/encryption/key-blobs.ts';
import { type RootKey, localRootKey } from '../../src/objects/encryption/root-key.ts';
import { s3CodeOf } from '../../src/objects/errors.ts';
import { startRewrite } from '../../src/objects/ledger/rewrites.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, count, put, read } from './acts.ts';
import { type Lab, labBackends, openLab, setTestBucketSettings } from './lab.ts';
import { rootKeysOf, testRootKeys } from './test-keys.ts';

const { signal } = new AbortController();
const dayMs = 86_400_000;
const encryption = { kind: 'aes256' } as const;

function ownBlobs(lab: Lab) {
  const { blobs } = lab.backends[0]!.backend;
  return [...blobs].filter(([key]) => !key.startsWith(keyBlobPrefix));
}

/** A root key that counts how often it is asked. */
function countedKey(): { readonly key: RootKey; asked: number } {
  const real = localRootKey('root', randomBytes(32), 'test');
  const counted = {
    asked: 0,
    key: {
      ...real,
      wrap: (kek: Buffer, kekId: string) => (counted.asked++, real.wrap(kek, kekId)),
      unwrap: (wrapped: string, kekId: string) => (counted.asked++, real.unwrap(wrapped, kekId)),
    },
  };
  return counted;
}

onEveryStore('sealed bytes', (engine) => {
  test('failure 11: are never imported as an object of their own, nor served in the place of a plain one', async () => {
    const lab = await openLab(engine, labBackends(1), testRootKeys('root'));
    const { blobs } = lab.backends[0]!.backend;
    await lab.bucket('plain');
    await put(lab, 'plain', 'k', 'words that are not sealed');
    const [[plainKey, plain]] = ownBlobs(lab) as [ReturnType<typeof ownBlobs>[number]];
    await lab.bucket('safe', { encryption });
    await put(lab, 'safe', 'k', 'words that are sealed now');
    const [, sealed] = ownBlobs(lab).find(([key]) => key !== plainKey)!;
    blobs.set('plain/found', sealed);
    lab.clock.advance(2 * dayMs);
    const { reconciler } = lab.keepers({ unknown: 'import' });
    assert.match(await reconciler.run(signal), /1 unknown .* 0 imported, 0 queued/);
    assert.equal(await count(lab.store, 'objects'), 2);
    blobs.delete('plain/found');
    blobs.set(plainKey, sealed);
    assert.equal(await read(lab, 'plain', 'k').then(() => null, s3CodeOf), 'ServiceUnavailable');
    blobs.set(plainKey, plain);
    assert.equal(String(await read(lab, 'plain', 'k')), 'words that are not sealed');
    await lab.close();
  });

  test('failure 12: are what a bucket gets that demands them, or it gets nothing; and lost keys stop the start', async () => {
    const lab = await openLab(engine, labBackends(1));
    await assert.rejects(lab.bucket('safe', { encryption }), { kind: 'unsupported' });
    await lab.bucket('safe');
    await assert.rejects(
      lab.gateway.buckets.update('safe', (settings) => ({ ...settings, encryption }), 'tester'),
      { kind: 'unsupported' },
    );
    // As it stands in the store when a process has set it that has keys.
    const settings = { ...(await lab.gateway.buckets.get('safe')).settings, encryption };
    await lab.store.write(setTestBucketSettings, { name: 'safe', settings: JSON.stringify(settings) });
    const next = await lab.restart();
    const stream = async function* () {
      yield Buffer.from('words');
    };
    for (const content of ['words', stream()]) {
      const putting = async () => put(next, 'safe', 'k', content, { sizeBytes: 5 });
      assert.equal(await putting().then(() => null, s3CodeOf), 'NotImplemented');
    }
    await assertClean(next);
    assert.equal(lab.backends[0]!.backend.blobs.size, 0);
    await refuseLostKeys(lab.store);
    await lab.close();

    const other = await openLab(engine, labBackends(1), testRootKeys('root'));
    await assert.rejects(refuseLostKeys(other.store), { kind: 'invalid' });
    await other.close();
  });

  test('failure 14: whose source breaks while they are read or written anew never become a shorter object', async () => {
    const lab = await openLab(engine, labBackends(1), testRootKeys('root'));
    const { faults } = lab.backends[0]!.backend;
    await lab.bucket('b', { encryption });
    const bytes = randomBytes(300_000);
    await put(lab, 'b', 'k', bytes);
    for (const [index, action] of (['decrypt', 'encrypt'] as const).entries()) {
      for (const effect of ['break', 'truncate'] as const) {
        faults.push({ verb: 'get', times: Number.POSITIVE_INFINITY, effect, afterBytes: 131_072 });
        await assert.rejects(read(lab, 'b', 'k'));
        const wish = { id: `${action}-${effect}`, action, bucket: null, actor: 'tester', created_at: index };
        await lab.store.write(startRewrite, wish);
        assert.equal(await lab.keepers().rewriter.run(signal), '0 contents written anew');
        faults.length = 0;
        assert.deepEqual(await read(lab, 'b', 'k'), bytes);
      }
      await lab.store.write(startRewrite, { id: action, action, bucket: null, actor: 'tester', created_at: index });
      assert.equal(await lab.keepers().rewriter.run(signal), '1 contents written anew');
      assert.deepEqual(await read(lab, 'b', 'k'), bytes);
    }
    await assertClean(lab);
    await lab.close();
  });

  test('failure 23: ask the root key as often for many objects as for none', async () => {
    const counted = countedKey();
    const lab = await openLab(engine, labBackends(1), rootKeysOf([counted.key]));
    await lab.bucket('b', { encryption });
    const before = counted.asked;
    for (let index = 0; index < 20; index++) await put(lab, 'b', `k${index}`, `content ${index}`);
    for (let index = 0; index < 20; index++)
      assert.equal(String(await read(lab, 'b', `k${index}`)), `content ${index}`);
    assert.equal(counted.asked, before);
    assert.ok(before > 0);
    await lab.close();
  });
});
