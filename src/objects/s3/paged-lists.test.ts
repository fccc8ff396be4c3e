import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { XmlElement } from './command.ts';
import { encodeQueryPart } from './signature/uri.ts';
import { type S3Stage, openStage } from './test-stage.ts';
import { childrenOf, textIn } from './xml/find.ts';
import { parseXml } from './xml/reader.ts';

const inBytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));
const decoded = (root: XmlElement, name: string) => decodeURIComponent(textIn(root, name) ?? '');

/** A listing of S3, by how its pages are asked for and read. */
interface Listing {
  readonly target: string;
  readonly limitKey: string;
  /** What a page tells, in order. */
  readonly read: (root: XmlElement) => readonly string[];
  /** The parameters of the next page; `null` behind the last. */
  readonly next: (root: XmlElement) => Readonly<Record<string, string>> | null;
}

/** All that a listing tells. No page is longer than asked for, none but the last is shorter, and no marker comes twice. */
async function walk(at: S3Stage, { target, limitKey, read, next }: Listing, limit: number): Promise<string[]> {
  const told: string[] = [];
  const asked = new Set<string>();
  let more = '';
  for (;;) {
    assert.ok(!asked.has(more), `asks twice for ${more}`);
    asked.add(more);
    const answer = await at.ask('GET', `${target}${target.includes('?') ? '&' : '?'}${limitKey}=${limit}${more}`);
    assert.equal(answer.status, 200, answer.text);
    const root = parseXml(answer.text);
    const page = read(root);
    told.push(...page);
    const parameters = next(root);
    assert.ok(parameters === null ? page.length <= limit : page.length === limit, answer.text);
    if (parameters === null) return told;
    more = Object.entries(parameters)
      .map(([name, value]) => `&${name}=${encodeQueryPart(value)}`)
      .join('');
  }
}

const isTruncated = (root: XmlElement) => textIn(root, 'IsTruncated') === 'true';

/** Entries and prefixes in the order of their keys, as the pages tell them in two lists. */
function entriesIn(root: XmlElement, entryNames: readonly string[], idName: string): string[] {
  const entries = (root.children ?? [])
    .filter(({ name }) => entryNames.includes(name))
    .map((entry) => ({ key: decoded(entry, 'Key'), id: textIn(entry, idName)! }));
  const prefixes = childrenOf(root, 'CommonPrefixes').map((one) => ({ key: decoded(one, 'Prefix'), id: 'prefix' }));
  const all = [...entries, ...prefixes].map((one, place) => ({ ...one, place }));
  all.sort((one, other) => inBytes(one.key, other.key) || one.place - other.place);
  return all.map(({ key, id }) => `${key} ${id}`);
}

/** What a listing of these entries, in their order, is to tell. */
function expected(
  entries: readonly (readonly [key: string, id: string])[],
  prefix: string,
  delimiter: string,
): string[] {
  const lines = entries
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, id]) => {
      const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      return end < 0 ? `${key} ${id}` : `${key.slice(0, end + delimiter.length)} prefix`;
    });
  return [...new Set(lines)];
}

function withPrefix(target: string, prefix: string, delimiter: string): string {
  return `${target}&encoding-type=url&prefix=${encodeQueryPart(prefix)}&delimiter=${encodeQueryPart(delimiter)}`;
}

const prefixes = fc.constantFrom('', 'a', 'a/', 'b', 'd', 'x');
const delimiters = fc.constantFrom('', '/', 'b', '//');
const limits = fc.integer({ min: 1, max: 7 });
const keys = [
  'a',
  'a/',
  'a//b',
  'a/b',
  'a/b/c',
  'a0',
  'b/1',
  'b/2',
  'c d+e',
  'dé',
  'd\u0001',
  'd/\u{1f600}',
  'd\uffee',
];
keys.sort(inBytes);

describe('failure 25: the pages of a listing, of any size,', () => {
  test('tell all uploads once, in the order of their keys', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    const begun: [string, string][] = [];
    for (const [index, key] of keys.entries()) {
      for (let count = 0; count <= index % 3; count++) {
        const answer = await at.ask('POST', `/box/${key.split('/').map(encodeQueryPart).join('/')}?uploads`);
        begun.push([key, textIn(parseXml(answer.text), 'UploadId')!]);
      }
    }
    begun.sort(([key, id], [otherKey, otherId]) => inBytes(key, otherKey) || inBytes(id, otherId));
    await fc.assert(
      fc.asyncProperty(prefixes, delimiters, limits, async (prefix, delimiter, limit) => {
        const listing: Listing = {
          target: withPrefix('/box?uploads', prefix, delimiter),
          limitKey: 'max-uploads',
          read: (root) => entriesIn(root, ['Upload'], 'UploadId'),
          next: (root) => {
            if (!isTruncated(root)) return null;
            const marker = textIn(root, 'NextUploadIdMarker') ?? '';
            return { 'key-marker': decoded(root, 'NextKeyMarker'), 'upload-id-marker': marker };
          },
        };
        assert.deepEqual(await walk(at, listing, limit), expected(begun, prefix, delimiter));
      }),
      { numRuns: 50 },
    );
  });

  test('tell all versions once, the latest of a key first', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    const written: [string, string][] = [];
    await at.world.put('box', 'a/b', 'before there were versions');
    written.push(['a/b', 'null']);
    await at.world.gateway.buckets.update('box', (settings) => ({ ...settings, versioning: 'enabled' }), 'test');
    for (const [index, key] of keys.entries()) {
      for (let count = 0; count <= index % 4; count++) {
        const target = `/box/${key.split('/').map(encodeQueryPart).join('/')}`;
        const answer = await at.ask(count === 2 ? 'DELETE' : 'PUT', target);
        written.unshift([key, answer.headers['x-amz-version-id'] as string]);
      }
    }
    written.sort(([key], [otherKey]) => inBytes(key, otherKey));
    await fc.assert(
      fc.asyncProperty(prefixes, delimiters, limits, async (prefix, delimiter, limit) => {
        const listing: Listing = {
          target: withPrefix('/box?versions', prefix, delimiter),
          limitKey: 'max-keys',
          read: (root) => entriesIn(root, ['Version', 'DeleteMarker'], 'VersionId'),
          next: (root) => {
            if (!isTruncated(root)) return null;
            const marker = textIn(root, 'NextVersionIdMarker') ?? '';
            return { 'key-marker': decoded(root, 'NextKeyMarker'), 'version-id-marker': marker };
          },
        };
        assert.deepEqual(await walk(at, listing, limit), expected(written, prefix, delimiter));
      }),
      { numRuns: 50 },
    );
  });

  test('tell all parts of an upload once, in the order of their numbers', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    const uploadId = textIn(parseXml((await at.ask('POST', '/box/k?uploads')).text), 'UploadId')!;
    const numbers = [1, 2, 3, 9, 10, 11, 100, 9_999, 10_000];
    for (const number of numbers.toReversed()) {
      await at.ask('PUT', `/box/k?partNumber=${number}&uploadId=${uploadId}`, { body: 'x' });
    }
    for (let limit = 1; limit <= numbers.length + 1; limit++) {
      const listing: Listing = {
        target: `/box/k?uploadId=${uploadId}`,
        limitKey: 'max-parts',
        read: (root) => childrenOf(root, 'Part').map((part) => textIn(part, 'PartNumber')!),
        next: (root) =>
          isTruncated(root) ? { 'part-number-marker': textIn(root, 'NextPartNumberMarker') ?? '' } : null,
      };
      assert.deepEqual((await walk(at, listing, limit)).map(Number), numbers);
    }
  });

  test('tell all buckets of a user once, in the order of their names', async () => {
    await using at = await openStage();
    const names = ['abc', 'abc-d', 'abc.d', 'abc0', 'b12', 'bcd', 'zzz'];
    for (const name of names.toReversed()) assert.equal((await at.ask('PUT', `/${name}`)).status, 200);
    names.sort(inBytes);
    const tokens = new Set<string>();
    for (const prefix of ['', 'abc', 'b', 'x']) {
      for (let limit = 1; limit <= names.length + 1; limit++) {
        const listing: Listing = {
          target: `/?prefix=${prefix}`,
          limitKey: 'max-buckets',
          read: (root) => childrenOf(childrenOf(root, 'Buckets')[0]!, 'Bucket').map((one) => textIn(one, 'Name')!),
          next: (root) => {
            const token = textIn(root, 'ContinuationToken');
            if (token !== undefined) tokens.add(token);
            return token === undefined ? null : { 'continuation-token': token };
          },
        };
        const all = names.filter((name) => name.startsWith(prefix));
        assert.deepEqual(await walk(at, listing, limit), all);
      }
    }
    const [token = ''] = tokens;
    for (const wrong of [token.slice(1), `${token}A`, token.toLowerCase(), 'AAAA', 'é', `${token}=`]) {
      const answer = await at.ask('GET', `/?continuation-token=${encodeQueryPart(wrong)}`);
      assert.match(answer.text, /<Code>InvalidArgument</, wrong);
    }
  });
});
