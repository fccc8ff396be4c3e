import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { onEveryStore } from '../../../test/support/stores.ts';
import { encodePath } from './signature/uri.ts';
import { openStage } from './test-stage.ts';
import { childrenOf, textIn } from './xml/find.ts';
import { parseXml } from './xml/reader.ts';
import { leaf, writeDocument } from './xml/writer.ts';

/** What servers, proxies and file systems like to change. */
const piece = fc.oneof(
  fc.constantFrom('/', '//', '.', '..', '/./', '/../', '%2F', '%', '+', ' ', '?', '#', '&', '\\', '\u0001', '\u007f'),
  fc.constantFrom('a\u0301', '\u00e1', '\ufeff', '\uffff', '\u{10ffff}', '\r\n', '\t', 'CON', 'ß', 'SS', '\u202e'),
  fc.string({ unit: 'binary', maxLength: 10 }).map((text) => text.toWellFormed()),
);
const key = fc
  .oneof(
    fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join('')),
    // As long as a key can be.
    piece.map((unit) => (unit === '' ? 'k' : unit).repeat(Math.floor(1024 / Math.max(1, Buffer.byteLength(unit))))),
  )
  .map((text) => text.replaceAll('\0', ''))
  .filter((text) => text !== '' && Buffer.byteLength(text) <= 1024);

onEveryStore('objects under any keys', (engine) => {
  test('are read, listed and deleted under just these', async () => {
    await using at = await openStage({}, engine);
    assert.equal((await at.ask('PUT', '/box')).status, 200);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key, { minLength: 1, maxLength: 5 }), async (keys) => {
        for (const one of keys) {
          const put = await at.ask('PUT', `/box/${encodePath(one)}`, { body: one });
          assert.equal(put.status, 200, put.text);
        }
        for (const one of keys) assert.equal((await at.ask('GET', `/box/${encodePath(one)}`)).text, one);
        const list = parseXml((await at.ask('GET', '/box?list-type=2&encoding-type=url')).text);
        const listed = childrenOf(list, 'Contents').map((entry) => decodeURIComponent(textIn(entry, 'Key')!));
        assert.deepEqual(
          listed,
          keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
        );
        const [first = '', ...others] = keys;
        assert.equal((await at.ask('DELETE', `/box/${encodePath(first)}`)).status, 204);
        assert.equal((await at.ask('HEAD', `/box/${encodePath(first)}`)).status, 404);
        for (const one of others) {
          // XML has no form for some of them; those go one by one.
          const body = writeDocument({ name: 'Delete', children: [{ name: 'Object', children: [leaf('Key', one)] }] });
          const isSpoken = textIn(childrenOf(parseXml(body), 'Object')[0]!, 'Key') === one;
          const headers = { 'content-md5': hash('md5', body, 'base64') };
          if (isSpoken) assert.doesNotMatch((await at.ask('POST', '/box?delete', { headers, body })).text, /<Error>/);
          else await at.ask('DELETE', `/box/${encodePath(one)}`);
        }
        assert.match((await at.ask('GET', '/box?list-type=2')).text, /<KeyCount>0</);
      }),
      { numRuns: 8 },
    );
  });
});
