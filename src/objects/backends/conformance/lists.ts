import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { BlobPage } from '../backend.ts';
import { bytesOf } from './sources.ts';
import { type Suite, byteOrder, newRoot } from './suite.ts';

const MANY_KEYS = 1500;
const WRITERS = 16;

/** Lists: byte order, prefixes, pages. */
export function listTests(suite: Suite): void {
  it('lists in the order of UTF-8 bytes, not of UTF-16 units (failure 10)', async () => {
    const root = newRoot();
    // In UTF-16 the surrogates of U+10000 sort before U+FFFD; a locale would sort a, Z and _ in other ways.
    const ends = ['\uFFFD', '\u{10000}', 'a', 'Z', '_', 'é', 'z', '-', '0', '/', '!', '~', 'aa', 'a/b', 'a!', 'a0'];
    const keys = await putAll(suite, root, ends);
    assert.deepEqual(keysOf(await list(suite, { prefix: root, limit: 1000 })), keys.toSorted(byteOrder));
  });

  it('lists by prefix, which ends anywhere in a key', async () => {
    const root = newRoot();
    const keys = await putAll(suite, root, ['/a', '/a/b', '/a/c', '/ab', '/b', '/a.b', '/日本/x', '/日本', '/日/x']);
    const prefixes = ['', '/', '/a', '/a/', '/a/b', '/a/b/', '/ab', '/b', '/c', '/日', '/日本', '/日本/', '/日/'];
    for (const prefix of prefixes) {
      const expected = keys.filter((key) => key.startsWith(root + prefix)).toSorted(byteOrder);
      const page = await list(suite, { prefix: root + prefix, limit: 1000 });
      assert.deepEqual(keysOf(page), expected, prefix);
      assert.equal(page.isTruncated, false);
    }
  });

  it('lists after any key, whether it is there or not', async () => {
    const root = newRoot();
    const keys = await putAll(suite, root, ['/a', '/a/b', '/a/c', '/b', '/b0', '/c/d/e', '/c/d/f', '/é']);
    const afters = ['', '/', '/a', '/a/', '/a/bb', '/a/c', '/b', '/b/', '/c', '/c/d/', '/c/d/e', '/c/d0', '/z', '/é'];
    for (const prefix of ['', '/', '/a', '/c/']) {
      for (const after of afters) {
        const isWanted = (key: string) => key.startsWith(root + prefix) && byteOrder(key, root + after) > 0;
        const page = await list(suite, { prefix: root + prefix, after: root + after, limit: 1000 });
        assert.deepEqual(keysOf(page), keys.filter(isWanted).toSorted(byteOrder), `${prefix} after ${after}`);
      }
    }
    assert.deepEqual(keysOf(await list(suite, { prefix: root, after: '\u0001', limit: 1000 })).length, keys.length);
  });

  it('gives whole pages, and says truly whether there is more', async () => {
    const root = newRoot();
    const keys = (await putAll(suite, root, ['/a', '/b/c', '/b/d', '/e', '/f/g/h', '/i'])).toSorted(byteOrder);
    for (let limit = 1; limit <= keys.length + 1; limit++) {
      for (let from = 0; from <= keys.length; from++) {
        const after = from === 0 ? {} : { after: keys[from - 1]! };
        const page = await list(suite, { prefix: root, limit, ...after });
        assert.deepEqual(keysOf(page), keys.slice(from, from + limit), `${limit} from ${from}`);
        assert.equal(page.isTruncated, from + limit < keys.length, `${limit} from ${from}`);
      }
    }
  });

  it('tells the size of each blob, which head tells too', async () => {
    const root = newRoot();
    const sizes = [0, 1, 5000, 300_000];
    for (const size of sizes) await suite.put(`${root}/${String(size).padStart(9, '0')}`, bytesOf(size));
    const { blobs } = await list(suite, { prefix: root, limit: 10 });
    assert.deepEqual(
      blobs.map((blob) => blob.sizeBytes),
      sizes,
    );
    for (const blob of blobs) assert.equal((await suite.head(blob.key))?.sizeBytes, blob.sizeBytes);
  });

  it(`lists ${MANY_KEYS} keys over pages, none of them skipped or doubled (failure 25)`, async () => {
    const root = newRoot();
    const digits = (index: number) => String(index).padStart(4, '0');
    const shapes = ['/flat-', '/deep/er/', '/mixed/', '/mixed-'];
    const ends = Array.from({ length: MANY_KEYS }, (_, index) => `${shapes[index % shapes.length]}${digits(index)}`);
    const keys = (await putAll(suite, root, ends)).toSorted(byteOrder);
    for (const limit of [1000, 137]) assert.deepEqual(await listAll(suite, root, limit), keys);
  });
}

/** Puts a small blob under each key, several at a time. */
async function putAll(suite: Suite, root: string, ends: readonly string[]): Promise<string[]> {
  const keys = ends.map((end) => root + end);
  const waiting = [...keys];
  const next = async (): Promise<void> => {
    for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) await suite.put(key, Buffer.from(key));
  };
  await Promise.all(Array.from({ length: WRITERS }, next));
  return keys;
}

async function listAll(suite: Suite, prefix: string, limit: number): Promise<string[]> {
  const keys: string[] = [];
  for (let pages = 0; pages <= MANY_KEYS / limit + 1; pages++) {
    const after = keys.at(-1);
    const page = await list(suite, { prefix, limit, ...(after === undefined ? {} : { after }) });
    keys.push(...keysOf(page));
    if (!page.isTruncated) return keys;
    assert.equal(page.blobs.length, limit, 'a page that is not the last is whole');
  }
  throw new Error('the list does not end');
}

function list(suite: Suite, page: { prefix: string; after?: string; limit: number }): Promise<BlobPage> {
  return suite.backend.list(page, suite.signal());
}

function keysOf(page: BlobPage): string[] {
  return page.blobs.map((blob) => blob.key);
}
