import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type S3Stage, openStage } from './test-stage.ts';
import { encodeQueryPart } from './signature/uri.ts';
import { childrenOf, textIn } from './xml/find.ts';
import { parseXml } from './xml/reader.ts';
import type { XmlElement } from './command.ts';

const keys = [
  'a',
  'a/',
  'a//b',
  'a/b',
  'a/b/c',
  'a/b/d',
  'a0',
  'ab',
  'b/1',
  'b/2',
  'b/3',
  'b0',
  'c d+e',
  'c/x',
  'dé',
  'd\u0001',
  'd/\u{1f600}',
  'd\uffee',
  'e',
];

const byBytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));

/** What a listing tells in all, by looking at every key. */
function model(prefix: string, delimiter: string): string[] {
  const told = new Set<string>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    told.add(at < 0 ? key : `${key.slice(0, at + delimiter.length)} (prefix)`);
  }
  return [...told].sort((one, other) => byBytes(one.replace(/ \(prefix\)$/, ''), other.replace(/ \(prefix\)$/, '')));
}

type Form = 'v1' | 'v2' | 'versions';

/** All pages, walked as a client does; each at most `limit` long. */
async function walk(at: S3Stage, form: Form, prefix: string, delimiter: string, limit: number): Promise<string[]> {
  const seen: string[] = [];
  let more = '';
  for (let page = 0; page < 60; page++) {
    const base = { v1: '/box?', v2: '/box?list-type=2&', versions: '/box?versions&' }[form];
    const query = `prefix=${encodeQueryPart(prefix)}&delimiter=${encodeQueryPart(delimiter)}&max-keys=${limit}&encoding-type=url`;
    const answer = await at.ask('GET', `${base}${query}${more}`);
    assert.equal(answer.status, 200, answer.text);
    const root = parseXml(answer.text);
    const names = namesOf(root);
    assert.ok(names.length <= limit);
    seen.push(...names);
    if (textIn(root, 'IsTruncated') === 'false') return seen;
    assert.equal(names.length, limit);
    more = next(root, form, names);
  }
  return assert.fail('the listing does not end');
}

function namesOf(root: XmlElement): string[] {
  const entries = [...childrenOf(root, 'Contents'), ...childrenOf(root, 'Version')].map((one) => textIn(one, 'Key')!);
  const prefixes = childrenOf(root, 'CommonPrefixes').map((one) => `${textIn(one, 'Prefix')!} (prefix)`);
  return [...entries, ...prefixes].map(
    (name) => decodeURIComponent(name.replace(' (prefix)', '')) + (name.endsWith(' (prefix)') ? ' (prefix)' : ''),
  );
}

function next(root: XmlElement, form: Form, names: readonly string[]): string {
  const marker = (name: string) => encodeQueryPart(decodeURIComponent(textIn(root, name) ?? ''));
  if (form === 'v2') return `&continuation-token=${textIn(root, 'NextContinuationToken')!}`;
  if (form === 'versions')
    return `&key-marker=${marker('NextKeyMarker')}&version-id-marker=${textIn(root, 'NextVersionIdMarker') ?? ''}`;
  // Without a delimiter there is no marker to read, and the last key is it.
  return `&marker=${textIn(root, 'NextMarker') === undefined ? encodeQueryPart(names.at(-1)!) : marker('NextMarker')}`;
}

describe('failure 25: pages', () => {
  test('tell everything once and in order, whatever their size, prefix and delimiter', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    for (const key of keys) await at.world.put('box', key, 'x');
    const prefix = fc.constantFrom('', 'a', 'a/', 'a/b', 'b', 'd', 'x', 'c d');
    const delimiter = fc.constantFrom('', '/', 'b', '//', '/b');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Form>('v1', 'v2', 'versions'),
        prefix,
        delimiter,
        fc.integer({ min: 1, max: 6 }),
        async (form, under, by, limit) => {
          const found = await walk(at, form, under, by, limit);
          const sorted = [...found].sort((one, other) =>
            byBytes(one.replace(' (prefix)', ''), other.replace(' (prefix)', '')),
          );
          assert.deepEqual(sorted, model(under, by), `${form} ${under} ${by} ${limit}`);
        },
      ),
      { numRuns: 120 },
    );
  });

  test('of many versions of one key end and miss none', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    await at.world.gateway.buckets.update('box', (settings) => ({ ...settings, versioning: 'enabled' }), 'test');
    for (let version = 0; version < 7; version++) await at.world.put('box', version % 2 === 0 ? 'k/a' : 'k/b', 'x');
    await at.ask('DELETE', '/box/k/a');
    const seen: string[] = [];
    let more = '';
    for (let page = 0; page < 20; page++) {
      const root = parseXml((await at.ask('GET', `/box?versions&max-keys=3${more}`)).text);
      for (const one of root.children!) {
        if (one.name === 'Version' || one.name === 'DeleteMarker')
          seen.push(`${textIn(one, 'Key')!} ${textIn(one, 'VersionId')!}`);
      }
      if (textIn(root, 'IsTruncated') === 'false') break;
      more = `&key-marker=${textIn(root, 'NextKeyMarker')!}&version-id-marker=${textIn(root, 'NextVersionIdMarker')!}`;
    }
    assert.deepEqual([seen.length, new Set(seen).size], [8, 8]);
  });

  test('of none are not truncated, and start after what the client says', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    for (const key of ['a', 'b', 'c/d']) await at.world.put('box', key, 'x');
    const none = parseXml((await at.ask('GET', '/box?list-type=2&max-keys=0')).text);
    assert.deepEqual(
      [textIn(none, 'KeyCount'), textIn(none, 'IsTruncated'), textIn(none, 'MaxKeys')],
      ['0', 'false', '0'],
    );
    const after = parseXml((await at.ask('GET', '/box?list-type=2&start-after=a&delimiter=%2F')).text);
    assert.deepEqual([namesOf(after), textIn(after, 'KeyCount')], [['b', 'c/ (prefix)'], '2']);
    const first = parseXml((await at.ask('GET', '/box?list-type=2&max-keys=1&fetch-owner=true')).text);
    assert.match(textIn(childrenOf(childrenOf(first, 'Contents')[0]!, 'Owner')[0]!, 'ID')!, /./);
    const token = textIn(first, 'NextContinuationToken')!;
    const both = parseXml((await at.ask('GET', `/box?list-type=2&continuation-token=${token}&start-after=zzz`)).text);
    assert.deepEqual(namesOf(both), ['b', 'c/d']);
    for (const query of [
      `continuation-token=${token}&prefix=a`,
      'continuation-token=nonsense',
      'max-keys=-1',
      'encoding-type=x',
    ]) {
      assert.match((await at.ask('GET', `/box?list-type=2&${query}`)).text, /<Code>InvalidArgument</, query);
    }
    assert.match((await at.ask('GET', '/box?versions&version-id-marker=x')).text, /<Code>InvalidArgument</);
    assert.match((await at.ask('GET', '/box?list-type=3')).text, /<Code>InvalidArgument</);
  });

  test('whose keys XML cannot carry say that they are encoded', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    await at.world.put('box', 'a\u0001 b', 'x');
    for (const query of ['', 'list-type=2', 'versions']) {
      const { text } = await at.ask('GET', `/box?${query}`);
      assert.match(text, /<EncodingType>url<\/EncodingType>.*<Key>a%01%20b<\/Key>/, query);
    }
  });
});
