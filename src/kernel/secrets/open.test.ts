import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { onEveryStore, openFresh } from '../../../test/support/stores.ts';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { HoldfastError } from '../errors/errors.ts';
import { kernelMigration } from '../store/migrations/0001_kernel.ts';
import type { Migration } from '../store/migrations/migration.ts';
import { openSealer } from './open.ts';
import { createTestCheckTable } from './test-check-table.ts';

const migrations: readonly Migration[] = [kernelMigration, createTestCheckTable];

onEveryStore('the sealer of a store', (engine) => {
  test('is made with a new key at the first start, and has the same one at the next', async () => {
    await using directory = await temporaryDirectory();
    const store = await openFresh(engine, migrations);
    const settings = { secretKey: undefined, secretKeyFile: undefined, dataDir: directory.path };
    const first = await openSealer(store, settings);
    const sealed = first.seal('a secret', 'row:1');
    const second = await openSealer(store, settings);
    assert.equal(second.open(sealed, 'row:1'), 'a secret');
    await store.close();
  });

  test('failure 13: with another key than the store was sealed with is fatal at start', async () => {
    await using directory = await temporaryDirectory();
    const store = await openFresh(engine, migrations);
    const open = (secretKey?: string) =>
      openSealer(store, { secretKey, secretKeyFile: undefined, dataDir: directory.path });
    const first = await open(randomBytes(32).toString('base64'));
    await assert.rejects(open(randomBytes(32).toString('base64')), (error: unknown) => {
      assert.ok(error instanceof HoldfastError);
      assert.equal(error.kind, 'invalid');
      assert.match(error.message, new RegExp(`sealed with the key ${first.keyId}, and this server has [0-9a-f]{12} `));
      return true;
    });
    // Without its key it makes no new one either.
    await assert.rejects(open(), /secret\.key is missing/);
    assert.deepEqual(await readdir(directory.path), []);
    await writeFile(join(directory.path, 'secret.key'), randomBytes(32).toString('base64'));
    await assert.rejects(open(), /give every server the same key/);
    await store.close();
  });

  test('failure 12: that lost its key file is fatal at start', async () => {
    await using directory = await temporaryDirectory();
    const store = await openFresh(engine, migrations);
    const settings = { secretKey: undefined, secretKeyFile: undefined, dataDir: directory.path };
    await openSealer(store, settings);
    await rm(join(directory.path, 'secret.key'));
    await assert.rejects(openSealer(store, settings), /secrets of this store are sealed, and there is no key/);
    await store.close();
  });

  test('lets only one key win when many start for the first time at once', async () => {
    const store = await openFresh(engine, migrations);
    const starts = Array.from({ length: 8 }, () =>
      openSealer(store, { secretKey: randomBytes(32).toString('base64'), secretKeyFile: undefined, dataDir: '' }),
    );
    const results = await Promise.allSettled(starts);
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    await store.close();
  });
});
