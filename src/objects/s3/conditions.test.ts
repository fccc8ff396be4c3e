import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseConditions, parseEtags } from './conditions.ts';
import { formatHttpTime, formatXmlTime, parseHttpTime } from './http-time.ts';

const parse = (headers: Readonly<Record<string, string>>) => parseConditions((name) => headers[name]);

describe('conditions', () => {
  test('of ETags take lists, quotes or none, weak ones, and any', () => {
    assert.deepEqual(parseEtags('"a", "b" ,c,W/"d"', 'weak'), ['a', 'b', 'c', 'd']);
    assert.deepEqual(parseEtags('"a", W/"d"', 'strong'), ['a']);
    assert.deepEqual(parseEtags('W/"d"', 'strong'), []);
    assert.deepEqual(parseEtags(' * ', 'strong'), ['*']);
    assert.deepEqual(parseEtags('"*"', 'strong'), []);
    assert.deepEqual(parseEtags('"a,b"', 'weak'), ['a,b']);
    assert.deepEqual(parseEtags('', 'weak'), []);
    fc.assert(fc.property(fc.string(), (text) => parseEtags(text, 'weak').length >= parseEtags(text, 'strong').length));
  });

  test('are absent without headers, and about the source of a copy with a prefix', () => {
    assert.deepEqual(parse({ etag: 'x' }), {});
    assert.deepEqual(parse({ 'if-match': '"a"', 'if-none-match': '*' }), { ifMatch: ['a'], ifNoneMatch: ['*'] });
    const header = (name: string) => (name === 'x-amz-copy-source-if-match' ? '"s"' : undefined);
    assert.deepEqual(parseConditions(header, 'x-amz-copy-source-'), { ifMatch: ['s'] });
    assert.deepEqual(parseConditions(header), {});
  });

  test('of times take all forms of HTTP, and ignore what is no date', () => {
    const timeMs = Date.UTC(1994, 10, 6, 8, 49, 37);
    for (const text of [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ]) {
      assert.deepEqual(parse({ 'if-modified-since': text }), { ifModifiedSinceMs: timeMs }, text);
    }
    for (const text of [
      '',
      'now',
      '1994-11-06',
      '784111777',
      'Sun, 06 Nov 1994 08:49:37 +0100',
      'Sun, 36 Nov 1994 08:49:37 GMT',
    ]) {
      assert.deepEqual(parse({ 'if-modified-since': text, 'if-unmodified-since': text }), {}, text);
    }
  });

  test('read the times that we write', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (timeMs) => {
        assert.equal(parseHttpTime(formatHttpTime(timeMs)), Math.floor(timeMs / 1000) * 1000);
        assert.equal(Date.parse(formatXmlTime(timeMs)), timeMs);
      }),
    );
  });
});
