import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { TargetDirectory } from './target-directory.ts';
import { type Found, measure, walk } from './walk.ts';

describe('a walk through a directory', () => {
  test('finds every file, follows links to files, and names what it leaves out', async () => {
    await using directory = await temporaryDirectory();
    const root = directory.path;
    await mkdir(join(root, 'a/b'), { recursive: true });
    await mkdir(join(root, 'empty'));
    await writeFile(join(root, 'a/b/one'), '12345');
    await writeFile(join(root, 'with space\n'), 'x');
    await symlink('b/one', join(root, 'a/link'));
    await symlink('..', join(root, 'a/up'));
    await symlink('nowhere', join(root, 'dangling'));
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff])]), 'not text');
    const found: Found[] = [];
    for await (const one of walk(root)) found.push(one);
    const names = (kind: Found['kind']) => found.filter((one) => one.kind === kind).map(({ name }) => name);
    assert.deepEqual(names('file').sort(), ['a/b/one', 'a/link', 'with space\n']);
    assert.deepEqual(names('skipped').sort(), ['a/up', 'empty']);
    assert.deepEqual(names('failed').sort(), ['dangling', 'f\ufffd']);
    assert.deepEqual(await measure(root, new AbortController().signal), { bytes: 11, objects: 3 });
  });
});

describe('a target directory', () => {
  test('makes what is missing and takes files below it', async () => {
    await using directory = await temporaryDirectory();
    const target = await TargetDirectory.open(join(directory.path, 'new/target'));
    await writeFile(await target.file('a/b/c'), 'x');
    assert.equal(await readFile(join(directory.path, 'new/target/a/b/c'), 'utf8'), 'x');
    await target.directory('d/e');
    await writeFile(await target.file('d/e/f'), 'y');
    assert.equal(await readFile(join(directory.path, 'new/target/d/e/f'), 'utf8'), 'y');
  });

  test('does not go through a link, which could lead out of it', async () => {
    await using directory = await temporaryDirectory();
    await mkdir(join(directory.path, 'outside'));
    const target = await TargetDirectory.open(join(directory.path, 'target'));
    await symlink('../outside', join(directory.path, 'target/link'));
    await assert.rejects(target.file('link/x'), /"link" stands there already and is not a directory/);
    await assert.rejects(target.file('link/deep/x'), /"link" stands there already/);
  });

  test('does not put a file where a directory is, nor a directory where a file is', async () => {
    await using directory = await temporaryDirectory();
    const target = await TargetDirectory.open(directory.path);
    await mkdir(join(directory.path, 'is-directory'));
    await writeFile(join(directory.path, 'is-file'), '');
    await assert.rejects(target.file('is-directory'), /is not a file/);
    await assert.rejects(target.file('is-file/x'), /is not a directory/);
    await assert.rejects(TargetDirectory.open(join(directory.path, 'is-file')), /cannot be a directory/);
  });
});
