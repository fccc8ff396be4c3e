import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enterStorageClasses } from '../../src/objects/ledger/storage-classes.ts';
import { rebuildLedger } from '../../src/objects/rebuilding/rebuild.ts';
import type { StorageClass } from '../../src/objects/storage-class.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, beginUpload, complete, put, putPart, read } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';
import { testRootKeys } from './test-keys.ts';

const signal = new AbortController().signal;
const cold: StorageClass = { name: 'COLD', labels: { tier: 'cold' } };
const all = { isMissingOnly: false, isDryRun: false, isLossAccepted: false, backends: [] };

onEveryStore('storage classes of a ledger that was lost', (engine) => {
  const keys = testRootKeys('root');
  const backends = () => labBackends(1, { labels: { tier: 'cold' } });
  const filled = async (standing = backends()) => {
    const lab = await openLab(engine, standing, keys, [cold]);
    await lab.bucket('plain');
    await lab.bucket('safe', { encryption: { kind: 'aes256' }, versioning: 'enabled' });
    await put(lab, 'plain', 'warm', 'warm');
    await put(lab, 'plain', 'cold', 'cold', { storageClass: 'COLD' });
    await put(lab, 'safe', 'k', 'first', { storageClass: 'COLD' });
    await put(lab, 'safe', 'k', 'second');
    const upload = await beginUpload(lab, 'plain', 'parts', { storageClass: 'COLD' });
    const part = await putPart(lab, upload, 1, Buffer.from('a part'));
    await lab.settle();
    await lab.close();
    return { standing, upload, part };
  };
  const classes = async (lab: Lab) =>
    lab.store.read((reader) =>
      reader.rows<{ object_key: string; storage_class: string }>(
        'select object_key, storage_class from objects order by bucket, object_key, seq',
        [],
      ),
    );
  const rebuilt = async (lab: Lab) => {
    const { store, registry, encryption, keyring, clock, settings } = lab;
    const report = await rebuildLedger({ store, registry, encryption, keyring, clock, settings }, all, signal);
    assert.equal(report.backup, null);
  };

  test('come back from what blobs say of themselves, of uploads as well', async () => {
    const { standing, upload, part } = await filled();
    const lab = await openLab(engine, standing, keys, [cold]);
    await rebuilt(lab);
    assert.deepEqual(
      (await classes(lab)).map((row) => [row.object_key, row.storage_class]),
      [
        ['cold', 'COLD'],
        ['warm', 'STANDARD'],
        ['k', 'COLD'],
        ['k', 'STANDARD'],
      ],
    );
    assert.equal((await lab.gateway.uploads.get(upload)).storageClass, 'COLD');
    await complete(lab, upload, [part]);
    assert.equal((await lab.gateway.objects.stat({ bucket: 'plain', key: 'parts' })).storageClass, 'COLD');
    assert.equal(String(await read(lab, 'plain', 'cold')), 'cold');
    await assertClean(lab);
    await assert.rejects(() => lab.store.write(enterStorageClasses, { classes: [] }), /is not configured any more/);
    await lab.close();
  });

  test('that the new server does not have become the standard one', async () => {
    const { standing, upload } = await filled();
    const lab = await openLab(engine, standing, keys);
    await rebuilt(lab);
    assert.deepEqual(
      (await classes(lab)).map((row) => row.storage_class),
      ['STANDARD', 'STANDARD', 'STANDARD', 'STANDARD'],
    );
    assert.equal((await lab.gateway.uploads.get(upload)).storageClass, 'STANDARD');
    await assertClean(lab);
    await lab.close();
  });
});
