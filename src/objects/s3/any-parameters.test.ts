import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { onEveryStore } from '../../../test/support/stores.ts';
import { encodeQueryPart } from './signature/uri.ts';
import { openStage } from './test-stage.ts';
import { parseXml } from './xml/reader.ts';

/** Texts that meet at borders of stores, of UTF-8 and of XML. */
const text: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', 'k', 'k/', 'null', '/', '\u0000', '\u0001', '\uffff', '\u{10ffff}', '%', "'", '"', '\\', '_'),
  fc.string({ unit: 'binary', maxLength: 8 }).map((value) => value.toWellFormed()),
  fc.constantFrom('k', 'é', '\u{10ffff}', '\u0000').map((unit) => unit.repeat(400)),
);
const number: fc.Arbitrary<string> = fc.oneof(fc.constantFrom('0', '1', '1000', '2147483647', '-1', '1e3', ''), text);

/** What can be asked, each with the parameters that it takes. */
const asks: readonly (readonly [target: string, texts: readonly string[], numbers: readonly string[]])[] = [
  ['/', ['prefix', 'continuation-token', 'bucket-region'], ['max-buckets']],
  ['/box', ['prefix', 'delimiter', 'marker', 'encoding-type'], ['max-keys']],
  ['/box?list-type=2', ['prefix', 'delimiter', 'start-after', 'continuation-token', 'fetch-owner'], ['max-keys']],
  ['/box?versions', ['prefix', 'delimiter', 'key-marker', 'version-id-marker'], ['max-keys']],
  ['/box?uploads', ['prefix', 'delimiter', 'key-marker', 'upload-id-marker'], ['max-uploads']],
  ['/box/k', ['versionId', 'response-content-type', 'response-expires'], ['partNumber']],
  ['/box/k?attributes', ['versionId'], []],
  ['/box/k?tagging', ['versionId'], []],
  ['/box/k?uploadId=none', [], ['max-parts', 'part-number-marker']],
];

const anyAsk = fc.constantFrom(...asks).chain(([target, texts, numbers]) => {
  const values = [...texts.map((name) => ({ name, value: text })), ...numbers.map((name) => ({ name, value: number }))];
  const parameters = values.map(({ name, value }) =>
    fc.option(
      value.map((one) => `${name}=${encodeQueryPart(one)}`),
      { nil: '' },
    ),
  );
  return fc.tuple(...parameters).map((all) => {
    const parts = all.filter((part) => part !== '');
    return `${target}${target.includes('?') ? '&' : '?'}${parts.join('&')}`;
  });
});

onEveryStore('a request with any parameters', (engine) => {
  test('is answered or refused, and is never a fault of ours', async () => {
    await using at = await openStage({}, engine);
    assert.equal((await at.ask('PUT', '/box')).status, 200);
    assert.equal((await at.ask('PUT', '/box/k', { body: 'x' })).status, 200);
    await fc.assert(
      fc.asyncProperty(anyAsk, fc.constantFrom('GET', 'HEAD'), async (target, method) => {
        const headers = { 'x-amz-object-attributes': 'ETag' };
        const answer = await at.ask(method, target, { headers });
        assert.ok([200, 206, 400, 404, 405, 416, 501].includes(answer.status), `${answer.status} ${answer.text}`);
        if (answer.text.startsWith('<?xml')) parseXml(answer.text);
      }),
      { numRuns: 150 },
    );
  });
});
