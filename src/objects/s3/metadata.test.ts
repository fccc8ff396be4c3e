import assert from 'node:assert/strict';
import { validateHeaderValue } from 'node:http';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from '../errors.ts';
import { requireKnownHeader } from './amz-headers.ts';
import { fromHeaderText, toHeaderText } from './header-text.ts';
import { addAttributeHeaders, parseAttributes } from './metadata.ts';

/** Headers as Node gives them: each byte of UTF-8 as one character. */
const onWire = (text: string) => Buffer.from(text).toString('latin1');

function parse(headers: Readonly<Record<string, string>>) {
  const entries = Object.entries(headers);
  return parseAttributes(
    (name) => headers[name],
    (prefix) => entries.filter(([name]) => name.startsWith(prefix)),
  );
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return s3CodeOf(error);
  }
  return 'fine';
}

describe('metadata', () => {
  test('is what the headers say, without what is of the transfer', () => {
    assert.deepEqual(
      parse({
        'content-encoding': 'aws-chunked, gzip',
        'cache-control': 'no-store',
        'content-type': 'text/plain',
        expires: '0',
        'x-amz-meta-colour': onWire('grün'),
        'x-amz-meta-__proto__': 'own',
        'content-language': '',
        host: 'h',
      }),
      {
        contentType: 'text/plain',
        headers: { 'cache-control': 'no-store', 'content-encoding': 'gzip', expires: '0' },
        metadata: Object.fromEntries([
          ['colour', 'grün'],
          ['__proto__', 'own'],
        ]),
      },
    );
    assert.deepEqual(parse({ 'content-encoding': 'aws-chunked' }), {
      contentType: 'binary/octet-stream',
      headers: {},
      metadata: {},
    });
  });

  test('has 2 KB in names and values together', () => {
    assert.equal(
      codeOf(() => parse({ 'x-amz-meta-a': 'x'.repeat(2047) })),
      'fine',
    );
    assert.equal(
      codeOf(() => parse({ 'x-amz-meta-a': 'x'.repeat(2048) })),
      'MetadataTooLarge',
    );
    assert.equal(
      codeOf(() => parse({ 'x-amz-meta-a': 'x'.repeat(1024), 'x-amz-meta-b': 'x'.repeat(1023) })),
      'MetadataTooLarge',
    );
    assert.equal(
      codeOf(() => parse({ 'x-amz-meta-a': onWire('é'.repeat(1024)) })),
      'MetadataTooLarge',
    );
    assert.equal(
      codeOf(() => parse({ 'cache-control': 'x'.repeat(2049) })),
      'MetadataTooLarge',
    );
  });

  test('comes back in headers, encoded where it is not ASCII', () => {
    const headers: Record<string, string> = {};
    const checksums = [] as const;
    addAttributeHeaders(
      { contentType: 'a/b', headers: { expires: '0' }, metadata: { c: 'grün', d: 'x' }, checksums },
      headers,
    );
    assert.deepEqual(headers, {
      'content-type': 'a/b',
      expires: '0',
      'x-amz-meta-c': '=?UTF-8?B?Z3LDvG4=?=',
      'x-amz-meta-d': 'x',
    });
  });

  test('can be any text, and no text breaks a header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const header = toHeaderText(text);
        validateHeaderValue('x', header);
        const [, encoded] = /^=\?UTF-8\?B\?(.*)\?=$/.exec(header) ?? [];
        if (!text.isWellFormed()) return;
        assert.equal(encoded === undefined ? header : Buffer.from(encoded, 'base64').toString(), text);
        assert.equal(fromHeaderText(onWire(text)), text);
      }),
    );
    assert.equal(fromHeaderText('caf\u00e9'), 'café');
  });
});

describe('x-amz- headers', () => {
  const check = (name: string, value: string, isWrite = true) => codeOf(() => requireKnownHeader(name, value, isWrite));

  test('that ask for what is not there are refused and not ignored', () => {
    for (const name of [
      'server-side-encryption-context',
      'website-redirect-location',
      'write-offset-bytes',
      'rename-source',
      'checksum-md5',
      'if-match-size',
    ]) {
      assert.equal(check(`x-amz-${name}`, 'AES256'), 'NotImplemented', name);
    }
    assert.equal(check('x-amz-server-side-encryption-context', 'k', false), 'NotImplemented');
    assert.equal(check('x-amz-anything', 'v', false), 'fine');
  });

  test('of ACLs pass where they say what holds anyway', () => {
    assert.equal(check('x-amz-acl', 'private'), 'fine');
    assert.equal(check('x-amz-acl', 'bucket-owner-full-control'), 'fine');
    for (const acl of ['public-read', 'public-read-write', 'authenticated-read', '']) {
      assert.equal(check('x-amz-acl', acl), 'AccessControlListNotSupported');
    }
    assert.equal(check('x-amz-grant-read', 'id=1'), 'AccessControlListNotSupported');
  });

  test('of other kinds have the values that there are', () => {
    assert.equal(check('x-amz-storage-class', 'STANDARD'), 'fine');
    assert.equal(check('x-amz-storage-class', 'GLACIER'), 'fine');
    assert.equal(check('x-amz-object-ownership', 'BucketOwnerEnforced'), 'fine');
    assert.equal(check('x-amz-object-ownership', 'ObjectWriter'), 'NotImplemented');
    assert.equal(check('x-amz-meta-anything', 'x'), 'fine');
    assert.equal(check('x-amz-checksum-crc64nvme', 'x'), 'fine');
  });
});
