import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { baseName, objectPath, parseAddress, parseObjectAddress, prefixBelow, printable } from './address.ts';
import { contentTypeOf } from './content-type.ts';
import { rangeHeader } from './range.ts';

describe('addresses of objects', () => {
  test('are a bucket and whatever follows its slash', () => {
    assert.deepEqual(parseAddress('safe'), { bucket: 'safe', key: '' });
    assert.deepEqual(parseAddress('safe/'), { bucket: 'safe', key: '' });
    assert.deepEqual(parseAddress('safe//a/../b/'), { bucket: 'safe', key: '/a/../b/' });
    for (const wrong of ['', '/a', '../a', '.', 'a b/c', 'ü/x'])
      assert.throws(() => parseAddress(wrong), /name of a bucket/);
    for (const wrong of ['safe', 'safe/']) assert.throws(() => parseObjectAddress(wrong), /write safe\/<key>/);
  });

  test('go over the wire with every part as it is', () => {
    assert.equal(
      objectPath({ bucket: 'b', key: 'a/../b//c d?#%é/' }),
      '/api/v1/objects/b/a/../b//c%20d%3F%23%25%C3%A9/',
    );
    assert.equal(objectPath({ bucket: 'b', key: 'x' }, '/presign'), '/api/v1/objects/b/x/presign');
  });

  test('mean as prefixes what is below them, like directories', () => {
    assert.deepEqual(['', 'logs', 'logs/', 'a//'].map(prefixBelow), ['', 'logs/', 'logs/', 'a//']);
    assert.deepEqual(['a', 'a/b', 'a/'].map(baseName), ['a', 'b', '']);
  });

  test('are shown without what would move the cursor of a terminal', () => {
    assert.equal(printable('é\u{1f600} a\\b'), 'é\u{1f600} a\\b');
    assert.equal(printable('a\u001B[2J\nb\u202Ec'), 'a\\x1b[2J\\x0ab\\u{202e}c');
  });
});

describe('types of content', () => {
  test('follow the end of a name, whatever its case', () => {
    assert.equal(contentTypeOf('a/b.HTML'), 'text/html; charset=utf-8');
    assert.equal(contentTypeOf('photo.jpeg'), 'image/jpeg');
    assert.equal(contentTypeOf('x.tar.gz'), 'application/gzip');
  });

  test('are bytes where nothing is known', () => {
    for (const name of ['x', '.html', 'x.', 'x.constructor', 'x.toString', 'a.json/b']) {
      assert.equal(contentTypeOf(name), 'application/octet-stream', name);
    }
  });
});

describe('ranges', () => {
  test('are written as people write them', () => {
    assert.equal(rangeHeader('0-99'), 'bytes=0-99');
    assert.equal(rangeHeader('100-'), 'bytes=100-');
    assert.equal(rangeHeader('-500'), 'bytes=-500');
    assert.equal(rangeHeader('bytes=5-5'), 'bytes=5-5');
  });

  test('are refused where the server would answer with the whole', () => {
    for (const text of ['', '-', '5', '9-5', '-0', '0-1,3-4', 'a-b', '1-2-3', 'items=0-1']) {
      assert.throws(() => rangeHeader(text), /is not a range/, text);
    }
  });
});
