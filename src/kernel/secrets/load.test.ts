import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { HoldfastError } from '../errors/errors.ts';
import { makeKeyFile } from './key-file.ts';
import { type SecretKeySettings, loadSecretKey } from './load.ts';

const text = randomBytes(32).toString('base64');

function settings(dataDir: string, more: Partial<SecretKeySettings> = {}): SecretKeySettings {
  return { dataDir, secretKey: undefined, secretKeyFile: undefined, ...more };
}

/** One clear sentence that quotes nothing of a key. */
function oneSentence(pattern: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.kind, 'invalid');
    assert.match(error.message, pattern);
    assert.match(error.message, /^[A-Z][^\n]*\.$/);
    assert.ok(!error.message.includes(text.slice(0, 20)));
    return true;
  };
}

describe('the key of the installation', () => {
  test('is the configured one, from the setting or a file', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'mine');
    await writeFile(file, `${text}\n`);
    const direct = loadSecretKey(settings(directory.path, { secretKey: text }), false);
    const fromFile = loadSecretKey(settings(directory.path, { secretKeyFile: file }), false);
    assert.deepEqual(direct.bytes, Buffer.from(text, 'base64'));
    assert.equal(fromFile.id, direct.id);
    assert.deepEqual(await readdir(directory.path), ['mine']);
  });

  test('is made at the first start for this user alone, and kept', async () => {
    await using directory = await temporaryDirectory();
    const dataDir = join(directory.path, 'not', 'yet');
    const first = loadSecretKey(settings(dataDir), true);
    assert.equal((await stat(join(dataDir, 'secret.key'))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(dataDir), ['secret.key']);
    assert.equal(loadSecretKey(settings(dataDir), true).id, first.id);
    assert.equal(loadSecretKey(settings(dataDir), false).id, first.id);
  });

  test('never replaces one that is there', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'secret.key');
    await writeFile(path, text);
    makeKeyFile(path);
    assert.equal(await readFile(path, 'utf8'), text);
    assert.deepEqual(await readdir(directory.path), ['secret.key']);
  });

  const broken: readonly (readonly [string, string, RegExp])[] = [
    ['short', text.slice(0, 30), /holds no key/],
    ['empty', '', /holds no key/],
    ['of another encoding', Buffer.from(text, 'base64').toString('hex'), /holds no key/],
    ['huge', 'A'.repeat(5_000), /more than 4096 bytes/],
  ];
  for (const [what, content, pattern] of broken) {
    test(`failure 12: configured but ${what} is fatal`, async () => {
      await using directory = await temporaryDirectory();
      const file = join(directory.path, 'mine');
      await writeFile(file, content);
      assert.throws(() => loadSecretKey(settings(directory.path, { secretKeyFile: file }), true), oneSentence(pattern));
      // The file of the data directory is no exception: it is not made anew.
      await writeFile(join(directory.path, 'secret.key'), content);
      assert.throws(() => loadSecretKey(settings(directory.path), true), oneSentence(pattern));
      assert.equal(await readFile(join(directory.path, 'secret.key'), 'utf8'), content);
    });
  }

  test('failure 12: configured but unusable is fatal, and nothing takes its place', async () => {
    await using directory = await temporaryDirectory();
    const inDirectory = (more: Partial<SecretKeySettings>) => () => loadSecretKey(settings(directory.path, more), true);
    const file = join(directory.path, 'absent');
    await mkdir(join(directory.path, 'folder'));
    assert.throws(inDirectory({ secretKey: text.slice(0, 40) }), oneSentence(/HOLDFAST_SECRET_KEY is not a key/));
    assert.throws(inDirectory({ secretKeyFile: file }), oneSentence(/absent does not exist/));
    assert.throws(inDirectory({ secretKeyFile: join(directory.path, 'folder') }), oneSentence(/not a regular file/));
    assert.throws(inDirectory({ secretKey: text, secretKeyFile: file }), oneSentence(/both set/));
    assert.deepEqual(await readdir(directory.path), ['folder']);
  });

  test('failure 12: is not made when secrets are sealed already', async () => {
    await using directory = await temporaryDirectory();
    assert.throws(() => loadSecretKey(settings(directory.path), false), oneSentence(/secret\.key is missing/));
    await symlink(join(directory.path, 'nowhere'), join(directory.path, 'secret.key'));
    assert.throws(() => loadSecretKey(settings(directory.path), true), oneSentence(/does not exist/));
    assert.deepEqual(await readdir(directory.path), ['secret.key']);
  });

  test('that cannot be made is fatal', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'file');
    await writeFile(file, '');
    assert.throws(() => loadSecretKey(settings(join(file, 'below')), true), oneSentence(/cannot be (read|made)/));
  });
});
