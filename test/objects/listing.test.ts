import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ListPosition, UploadPage } from '../../src/objects/gateway.ts';
import { onEveryStore } from '../support/stores.ts';
import { beginUpload, put, remove } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

/** Pieces of keys that meet at the borders: delimiters, their successors, and what UTF-8 and UTF-16 order differently. */
const pieces = [
  'a',
  'b',
  '/',
  '/',
  '0',
  '--',
  '-',
  '.',
  '~',
  '\ufffd',
  '\u{10000}',
  '\u{1f600}',
  '\u{10ffff}',
  'é',
  ' ',
];
const keys = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));
const prefixes = fc.oneof(
  fc.constant(''),
  fc.constant(''),
  fc.array(fc.constantFrom(...pieces), { maxLength: 2 }).map((all) => all.join('')),
);
const delimiters = fc.constantFrom(null, '/', '/', '--', 'a', '\u{1f600}', '\u{10ffff}');

function inByteOrder(all: Iterable<string>): string[] {
  return [...all].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

interface Question {
  readonly prefix: string;
  readonly delimiter: string | null;
}

/** What a listing tells from its beginning to its end, by the words of S3: keys, and prefixes marked with `>`. */
function expected(all: Iterable<string>, { prefix, delimiter }: Question): string[] {
  const told = new Set<string>();
  for (const key of inByteOrder(all)) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === null ? -1 : key.indexOf(delimiter, prefix.length);
    told.add(at < 0 ? key : `>${key.slice(0, at + delimiter!.length)}`);
  }
  return [...told];
}

/** All pages of a listing, each checked: in order, within its limit, and never the same place twice. */
async function allPages(lab: Lab, question: Question, limit: number): Promise<string[]> {
  const told: string[] = [];
  let after: ListPosition | null = null;
  for (let pages = 0; ; pages++) {
    assert.ok(pages < 500, 'the listing never ends');
    const page = await lab.gateway.objects.list({ bucket: 'b', ...question, after, limit });
    const names = [
      ...page.versions.map(({ key }) => ({ name: key, mark: key })),
      ...page.prefixes.map((name) => ({ name, mark: `>${name}` })),
    ].toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    assert.ok(names.length <= limit);
    told.push(...names.map(({ mark }) => mark));
    assert.equal(page.isTruncated, page.next !== null);
    if (page.next === null) return told;
    assert.equal(names.length, limit, 'a page that is not the last is full');
    after = page.next;
  }
}

async function allUploadPages(lab: Lab, question: Question, limit: number, asS3: boolean): Promise<string[]> {
  const told: string[] = [];
  let after: UploadPage['next'] | { key: string } = null;
  for (let pages = 0; ; pages++) {
    assert.ok(pages < 500, 'the listing never ends');
    const page: UploadPage = await lab.gateway.uploads.list({ bucket: 'b', ...question, after, limit });
    assert.ok(page.uploads.length + page.prefixes.length <= limit);
    told.push(
      ...page.uploads.map(({ key, uploadId }) => `${key} ${uploadId}`),
      ...page.prefixes.map((name) => `>${name}`),
    );
    assert.equal(page.isTruncated, page.next !== null);
    if (page.next === null) return told;
    // A client that gets no upload id to go on after gives none back.
    after = asS3 && page.next.uploadId === '' ? { key: page.next.key } : page.next;
  }
}

onEveryStore('listings', (engine) => {
  test('failure 25: tell everything once and in byte order, on pages of any size', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    let standing = new Set<string>();
    const questions = fc.array(
      fc.record({ prefix: prefixes, delimiter: delimiters, limit: fc.integer({ min: 1, max: 7 }) }),
      { minLength: 4, maxLength: 4 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(keys, { maxLength: 25 }), questions, async (wanted, asked) => {
        await Promise.all([...standing].filter((key) => !wanted.includes(key)).map((key) => remove(lab, 'b', key)));
        await Promise.all(wanted.filter((key) => !standing.has(key)).map((key) => put(lab, 'b', key, '')));
        standing = new Set(wanted);
        for (const { limit, ...question } of asked) {
          assert.deepEqual(
            await allPages(lab, question, limit),
            expected(standing, question),
            JSON.stringify({ question, limit }),
          );
        }
      }),
      { numRuns: engine.name === 'sqlite' ? 60 : 15 },
    );
    await lab.close();
  });

  test('failure 25: a marker that is no key, and one of a key that is gone, begin just above it', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const all = ['a', 'a/', 'a/b', 'a/c/d', 'a0', 'b', 'b/b', '\ufffd', '\u{10000}', '\u{10ffff}'];
    for (const key of all) await put(lab, 'b', key, '');
    const list = async (after: ListPosition, prefix = '', delimiter: string | null = null) => {
      const page = await lab.gateway.objects.list({ bucket: 'b', prefix, delimiter, after, limit: 1000 });
      return [...page.versions.map(({ key }) => key), ...page.prefixes.map((name) => `>${name}`)];
    };
    for (const marker of [...all, '\u0001', 'a/bb', 'a/c', 'zz', '\ue000', '\u{10fffe}']) {
      const above = inByteOrder(all).filter((key) => Buffer.compare(Buffer.from(key), Buffer.from(marker)) > 0);
      assert.deepEqual(await list({ key: marker, isPrefix: false }), above, JSON.stringify(marker));
    }
    assert.deepEqual(await list({ key: 'A', isPrefix: false }, 'b'), ['b', 'b/b'], 'below the prefix');
    assert.deepEqual(await list({ key: 'c', isPrefix: false }, 'b'), [], 'above the prefix');
    assert.deepEqual(await list({ key: 'a/', isPrefix: true }, '', '/'), [
      'a0',
      'b',
      '\ufffd',
      '\u{10000}',
      '\u{10ffff}',
      '>b/',
    ]);
    assert.deepEqual(await list({ key: 'b/', isPrefix: true }, '', '/'), ['\ufffd', '\u{10000}', '\u{10ffff}']);
    const none = await lab.gateway.objects.list({ bucket: 'b', prefix: '', delimiter: null, after: null, limit: 0 });
    assert.deepEqual(none, { versions: [], prefixes: [], isTruncated: false, next: null });
    await lab.close();
  });

  test('failure 25: groups larger than any batch are told once', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const groups = ['big/', 'huge/', 'one/'].flatMap((group, index) =>
      Array.from({ length: [40, 70, 1][index]! }, (_, number) => `${group}${String(number).padStart(3, '0')}`),
    );
    const all = [...groups, 'a', 'big', 'big0', 'zz'];
    await Promise.all(all.map((key) => put(lab, 'b', key, '')));
    for (const limit of [1, 2, 3, 1000]) {
      const question = { prefix: '', delimiter: '/' };
      assert.deepEqual(await allPages(lab, question, limit), expected(all, question), `pages of ${limit}`);
    }
    for (const limit of [1, 16, 17, 40]) {
      const question = { prefix: 'big/', delimiter: null };
      assert.deepEqual(await allPages(lab, question, limit), expected(all, question), `pages of ${limit}`);
    }
    await lab.close();
  });

  test('failure 25: versions and delete markers are told once, newest first, on pages of any size', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b', { versioning: 'enabled' });
    const made: string[] = [];
    for (const key of ['a', 'a/1', 'a/2', 'a0', 'b/1', '\u{10000}', '\ufffd']) {
      const ids: string[] = [];
      for (let index = 0; index < 3; index++) ids.unshift((await put(lab, 'b', key, `${index}`)).versionId);
      if (key !== 'a0') ids.unshift((await remove(lab, 'b', key)).versionId!);
      made.push(...ids.map((id) => `${key} ${id}`));
    }
    const order = inByteOrder(new Set(made.map((one) => one.split(' ')[0]!)));
    const sorted = order.flatMap((key) => made.filter((one) => one.startsWith(`${key} `)));
    for (const delimiter of [null, '/']) {
      const wanted = sorted.map((one) =>
        delimiter !== null && one.includes('/') ? `>${one.slice(0, one.indexOf('/') + 1)}` : one,
      );
      for (const limit of [1, 2, 3, 5, 7, 1000]) {
        const told: string[] = [];
        for (let after: ListPosition | null = null, pages = 0; ; pages++) {
          assert.ok(pages < 100, 'the listing never ends');
          const page = await lab.gateway.objects.listVersions({ bucket: 'b', prefix: '', delimiter, after, limit });
          told.push(
            ...page.versions.map(({ key, versionId }) => `${key} ${versionId}`),
            ...page.prefixes.map((name) => `>${name}`),
          );
          if (page.next === null) break;
          after = page.next;
        }
        assert.deepEqual(told.toSorted(), [...new Set(wanted)].toSorted(), `pages of ${limit}, delimiter ${delimiter}`);
        if (delimiter === null) assert.deepEqual(told, wanted, 'in order');
      }
    }
    await lab.close();
  });

  test('failure 25: uploads are told once and in order, on pages of any size', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const standing = new Map<string, string[]>();
    const all = ['a', 'a/1', 'a/2', 'a0', 'a--b', 'b/', 'b0', '\ufffd/x', '\u{10000}/y', '\u{10ffff}a', '\u{10ffff}b'];
    for (const key of [...all, 'a', 'a0', 'a/1']) {
      standing.set(key, [...(standing.get(key) ?? []), (await beginUpload(lab, 'b', key)).uploadId]);
    }
    const questions = ['', 'a', 'a/', 'b', '\u{10ffff}'].flatMap((prefix) =>
      [null, '/', '--', 'a', '\u{10ffff}'].map((delimiter) => ({ prefix, delimiter })),
    );
    for (const question of questions) {
      const wanted = expected(standing.keys(), question).flatMap((mark) =>
        mark.startsWith('>') ? [mark] : standing.get(mark)!.map((id) => `${mark} ${id}`),
      );
      for (const limit of [1, 2, 3, 1000]) {
        for (const asS3 of [false, true]) {
          const told = await allUploadPages(lab, question, limit, asS3);
          assert.deepEqual(told.toSorted(), wanted.toSorted(), JSON.stringify({ ...question, limit, asS3 }));
        }
      }
    }
    await lab.close();
  });
});
