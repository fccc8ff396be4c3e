import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { s3CodeOf } from '../errors.ts';
import { parseTagHeader, parseTagging, tagsPerBucketMax, tagsPerObjectMax, writeTagging } from './tags.ts';
import { parseXml } from './xml/reader.ts';
import { writeDocument } from './xml/writer.ts';

const refusedAs = (code: string) => (error: unknown) => error instanceof HoldfastError && s3CodeOf(error) === code;
const document = (pairs: readonly (readonly [string, string])[]) => ({
  name: 'Tagging',
  children: [
    {
      name: 'TagSet',
      children: pairs.map(([key, value]) => ({
        name: 'Tag',
        children: [
          { name: 'Key', text: key },
          { name: 'Value', text: value },
        ],
      })),
    },
  ],
});
const numbered = (count: number) => Array.from({ length: count }, (_, index) => [`k${index}`, ''] as const);

const character = fc.constantFrom(...Array.from('aZ09 _.:/=+-@äß中𐐀'));
const key = fc
  .string({ unit: character, minLength: 1, maxLength: 64 })
  .filter((text) => text.length <= 128 && !text.startsWith('aws:'));
const value = fc.string({ unit: character, maxLength: 128 }).filter((text) => text.length <= 256);
const tags = fc.dictionary(key, value, { maxKeys: tagsPerObjectMax, noNullPrototype: true });

describe('tags in a header', () => {
  test('are a query in which + is a space', () => {
    assert.deepEqual(parseTagHeader('foo=bar&bar'), { foo: 'bar', bar: '' });
    assert.deepEqual(parseTagHeader('a+b=c%2Bd&%C3%A4=1=2'), { 'a b': 'c+d', ä: '1=2' });
    assert.deepEqual(parseTagHeader(''), {});
    assert.deepEqual(parseTagHeader(undefined), {});
  });

  test('are what a form serialises', () => {
    fc.assert(
      fc.property(tags, (some) => {
        assert.deepEqual(parseTagHeader(new URLSearchParams(some).toString()), some);
      }),
    );
  });

  test('are refused when they are broken, doubled or too many', () => {
    assert.throws(() => parseTagHeader('a=%zz'), refusedAs('InvalidArgument'));
    assert.throws(() => parseTagHeader('a=%ff'), refusedAs('InvalidArgument'));
    assert.throws(() => parseTagHeader('a=1&a=2'), refusedAs('InvalidTag'));
    assert.throws(() => parseTagHeader('a=1&'), refusedAs('InvalidTag'));
    const many = numbered(tagsPerObjectMax + 1).map(([name]) => name);
    assert.throws(() => parseTagHeader(many.join('&')), refusedAs('InvalidTag'));
    assert.equal(Object.keys(parseTagHeader(many.slice(1).join('&'))).length, tagsPerObjectMax);
  });

  test('of any text are tags or refused', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('%', 'f', '0', '=', '&', '+', 'é', '\ud800', '\0', 'k') }),
        (text) => {
          try {
            assert.ok(Object.keys(parseTagHeader(text)).length <= tagsPerObjectMax);
          } catch (error) {
            assert.ok(error instanceof HoldfastError);
          }
        },
      ),
    );
  });
});

describe('tags in a document', () => {
  test('are the same after they were written and read', () => {
    fc.assert(
      fc.property(tags, (some) => {
        const read = parseTagging(parseXml(writeDocument(writeTagging(some))), tagsPerObjectMax);
        assert.deepEqual(read, some);
      }),
    );
  });

  test('keep a key that names the prototype', () => {
    const read = parseTagging(document([['__proto__', 'x']]), tagsPerObjectMax);
    assert.deepEqual(Object.entries(read), [['__proto__', 'x']]);
  });

  test('may be none, and have empty values', () => {
    assert.deepEqual(parseTagging(document([]), tagsPerObjectMax), {});
    assert.deepEqual(parseTagging(document([['a', '']]), tagsPerObjectMax), { a: '' });
  });

  test('have the limits of AWS', () => {
    const parse = (...pairs: [string, string][]) => parseTagging(document(pairs), tagsPerObjectMax);
    assert.deepEqual(parse(['k'.repeat(128), 'v'.repeat(256)]), { ['k'.repeat(128)]: 'v'.repeat(256) });
    const wrong: [string, string][] = [
      ['k'.repeat(129), ''],
      ['𐐀'.repeat(65), ''],
      ['k', 'v'.repeat(257)],
      ['', 'v'],
      ['k', 'a\nb'],
      ['k', 'a,b'],
      ['k*', ''],
      ['😀', ''],
      ['aws:k', ''],
    ];
    for (const pair of wrong) assert.throws(() => parse(pair), refusedAs('InvalidTag'), JSON.stringify(pair));
    assert.throws(() => parse(['a', '1'], ['a', '2']), refusedAs('InvalidTag'));
    assert.equal(Object.keys(parseTagging(document(numbered(50)), tagsPerBucketMax)).length, 50);
    assert.throws(() => parseTagging(document(numbered(51)), tagsPerBucketMax), refusedAs('InvalidTag'));
    assert.throws(() => parseTagging(document(numbered(11)), tagsPerObjectMax), refusedAs('InvalidTag'));
  });

  test('are refused in another shape', () => {
    const shapes = [
      '<Tags/>',
      '<Tagging/>',
      '<Tagging><TagSet/><TagSet/></Tagging>',
      '<Tagging><TagSet>x</TagSet></Tagging>',
      '<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>',
      '<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>',
      '<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key><Value>a</Value></Tag></TagSet></Tagging>',
      '<Tagging><TagSet><Tag><Key><b/></Key><Value>a</Value></Tag></TagSet></Tagging>',
      '<Tagging><TagSet><Tag><Key>a</Key><Value>a</Value><More/></Tag></TagSet></Tagging>',
    ];
    for (const shape of shapes) {
      assert.throws(() => parseTagging(parseXml(shape), tagsPerObjectMax), refusedAs('MalformedXML'), shape);
    }
  });
});
