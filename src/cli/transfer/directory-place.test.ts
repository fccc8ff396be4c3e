import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { TargetNames } from '../object/target-names.ts';
import { directoryPlace } from './directory-place.ts';

const never = new AbortController().signal;

async function write(root: string, path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

/** What a listing gives: keys in its order, and what it tells of the rest. */
async function listed(path: string, isDecoding = false, namesMax = 3) {
  const told: string[] = [];
  const keys: string[] = [];
  const place = await directoryPlace({ path, isDecoding, namesMax });
  for await (const { key } of place.list(never, (name, kind, reason) => told.push(`${kind} ${name}: ${reason}`))) {
    keys.push(key);
  }
  return { keys, told: told.toSorted() };
}

const inByteOrder = (keys: Iterable<string>) =>
  [...new Set(keys)].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));

const key = fc
  .array(fc.constantFrom('a', 'b', '/', '.', '%', '-', '2', 'F', 'é', '😀', '\u{ff5e}'), {
    minLength: 1,
    maxLength: 8,
  })
  .map((all) => all.join(''));

describe('a directory as a place of objects', () => {
  test('lists its files in byte order of their keys, however few names are sorted at once', async () => {
    await using root = await temporaryDirectory();
    const keys = [
      'a!',
      'a.txt',
      'a/b',
      'a/c/d',
      'a0',
      'b',
      'c/1',
      'c/2',
      'c/3',
      'c/4',
      'ä/\u{ff5e}',
      'ä/\u{10000}',
      '%',
    ];
    for (const one of keys) await write(root.path, one, one);
    await mkdir(join(root.path, 'empty'));
    for (const namesMax of [1, 3, 100]) {
      assert.deepEqual(await listed(root.path, false, namesMax), { keys: inByteOrder([...keys, 'empty/']), told: [] });
    }
  });

  test('gives bytes and the MD5 of them, and refuses a file that changes while it is read', async () => {
    await using root = await temporaryDirectory();
    await write(root.path, 'a.css', 'body');
    const place = await directoryPlace({ path: root.path, isDecoding: false });
    const { value } = await place.list(never).next();
    const facts = await place.facts(value, never);
    assert.deepEqual(
      [facts?.sizeBytes, facts?.md5, facts?.contentType],
      [4, '841a2d689ad86bd1611447453c22c6fc', 'text/css; charset=utf-8'],
    );
    const opened = await place.open(value, never);
    await writeFile(join(root.path, 'a.css'), 'BODY, longer');
    await assert.rejects(async () => {
      for await (const chunk of opened!.content) void chunk;
    }, /changed/);
    const again = await place.open(value, never);
    again!.cancel();
  });

  test('tells of what is no object', async () => {
    await using root = await temporaryDirectory();
    await write(root.path, 'd/file', 'x');
    await write(root.path, '.holdfast-00000000-0000-4000-8000-000000000000.part', 'cut off');
    await symlink('d', join(root.path, 'to-directory'));
    await symlink('d/file', join(root.path, 'to-file'));
    await symlink('gone', join(root.path, 'to-nothing'));
    await writeFile(Buffer.concat([Buffer.from(`${root.path}/`), Buffer.from([0x78, 0xff])]), 'x');
    assert.deepEqual(await listed(root.path, false, 1), {
      keys: ['d/file', 'to-file'],
      told: [
        'failed to-nothing: no such file or directory',
        'failed x\u{fffd}: its name is not UTF-8 text',
        'skipped .holdfast-00000000-0000-4000-8000-000000000000.part: it was left by an export that was cut off',
        'skipped to-directory: a link to a directory',
      ],
    });
    await assert.rejects(directoryPlace({ path: join(root.path, 'gone'), isDecoding: false }), /cannot be read/);
    await assert.rejects(directoryPlace({ path: join(root.path, 'd/file'), isDecoding: false }), /not a directory/);
  });

  test('with encoded names, lists the keys that were encoded, and tells of names that were not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key, { maxLength: 12 }), async (all) => {
        await using root = await temporaryDirectory();
        const names = new TargetNames(true);
        const keys = inByteOrder(all);
        for (const one of keys) await write(root.path, names.next(one), one);
        assert.deepEqual(await listed(root.path, true), { keys, told: [] });
      }),
      { numRuns: 60 },
    );
    await using root = await temporaryDirectory();
    await write(root.path, '100%', 'x');
    await mkdir(join(root.path, 'empty'));
    assert.deepEqual(await listed(root.path, true), {
      keys: [],
      told: ['failed 100%: its name is not one that --encode-names gives', 'skipped empty: an empty directory'],
    });
  });
});
