import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlobPage } from '../backend.ts';
import { answer, deadline, isError, startPeer } from './testkit.ts';

interface Listing {
  readonly keys: readonly string[];
  /** The token of what follows, if anything does. */
  readonly next?: string;
  readonly more?: string;
}

function listingXml({ keys, next, more = '<EncodingType>url</EncodingType>' }: Listing): string {
  const contents = keys.map(
    (key) =>
      `<Contents><Key>${key}</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><Size>7</Size></Contents>`,
  );
  const end = next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`;
  const isTruncated = `<IsTruncated>${next !== undefined}</IsTruncated>`;
  return `<?xml version="1.0"?>\n<ListBucketResult>${more}${isTruncated}${end}${contents.join('')}</ListBucketResult>`;
}

/** A backend below the prefix `p/` on a server that gives these answers in turn, the last one over and over. */
async function list(answers: readonly string[], page = { prefix: '', limit: 10 }): Promise<[BlobPage, string[]]> {
  let turn = 0;
  const handler = (_: unknown, response: Parameters<typeof answer>[0]): void => {
    answer(response, 200, answers[Math.min(turn++, answers.length - 1)]);
  };
  await using peer = await startPeer(handler, { prefix: 'p/' });
  const found = await peer.backend.list(page, deadline());
  return [found, peer.requests.map(({ line }) => line)];
}

describe('listings of an S3 server', () => {
  test('are read with their encoding, and filled to a whole page', async () => {
    const first = listingXml({ keys: ['p/a', 'p/b+c%2B%2F%C3%BC'], next: 'T1' });
    const second = listingXml({ keys: [], next: 'T/2=' });
    const third = listingXml({ keys: ['p/d'] });
    const [page, lines] = await list([first, second, third], { prefix: '', limit: 4 });
    assert.deepEqual(
      page.blobs.map(({ key }) => key),
      ['a', 'b c+/ü', 'd'],
    );
    assert.equal(page.isTruncated, false);
    assert.deepEqual(page.blobs[0], { key: 'a', sizeBytes: 7, modifiedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) });
    assert.deepEqual(lines, [
      'GET /bucket?list-type=2&encoding-type=url&max-keys=4&prefix=p%2F',
      'GET /bucket?list-type=2&encoding-type=url&max-keys=2&prefix=p%2F&continuation-token=T1',
      'GET /bucket?list-type=2&encoding-type=url&max-keys=2&prefix=p%2F&continuation-token=T%2F2%3D',
    ]);
  });

  test('are read as they are where the server does not encode', async () => {
    const [page] = await list([listingXml({ keys: ['p/a%20b+', 'p/a&amp;&#252;'], more: '' })]);
    assert.deepEqual(
      page.blobs.map(({ key }) => key),
      ['a%20b+', 'a&ü'],
    );
  });

  const disorders: readonly (readonly [what: string, keys: readonly string[]])[] = [
    ['that go back', ['p/b', 'p/a']],
    ['with a key twice', ['p/a', 'p/a']],
    ['in the order of a locale', ['p/a', 'p/B']],
    ['in the order of UTF-16', ['p/%F0%90%80%80', 'p/%EF%BF%BD']],
    ['outside of the prefix', ['a']],
    [
      'with more keys than were asked for',
      Array.from({ length: 11 }, (_, index) => `p/${String(index).padStart(2, '0')}`),
    ],
  ];
  for (const [what, keys] of disorders) {
    test(`failure 10: ${what} are refused`, async () => {
      await assert.rejects(list([listingXml({ keys })]), isError('backend'));
    });
  }

  test('failure 10: are refused when a later answer begins before the end of the first', async () => {
    const answers = [listingXml({ keys: ['p/b'], next: 'T' }), listingXml({ keys: ['p/a'] })];
    await assert.rejects(list(answers), isError('backend', { reason: 'listing_order' }));
  });

  test('failure 10: are refused when they begin at or before what they were to come after', async () => {
    const page = { prefix: '', after: 'b', limit: 10 };
    await assert.rejects(list([listingXml({ keys: ['p/b'] })], page), isError('backend', { reason: 'listing_order' }));
  });

  test('failure 25: that never end are left', async () => {
    await assert.rejects(list([listingXml({ keys: [], next: 'T' })]), isError('backend', { reason: 'garbage' }));
  });

  const bomb = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`;
  const documents: readonly (readonly [what: string, text: string])[] = [
    ['that are empty', ''],
    ['that are HTML', '<html><body><p>hello<br></body></html>'],
    ['that are another document', '<ListAllMyBucketsResult></ListAllMyBucketsResult>'],
    ['that break off', listingXml({ keys: ['p/a'] }).slice(0, -20)],
    ['that are a bomb', `${bomb}<ListBucketResult><Contents><Key>&b;</Key></Contents></ListBucketResult>`],
    [
      'that read a file',
      '<!DOCTYPE l [<!ENTITY f SYSTEM "file:///etc/passwd">]><ListBucketResult>&f;</ListBucketResult>',
    ],
    ['that are deep', '<ListBucketResult>'.repeat(5000) + '</ListBucketResult>'.repeat(5000)],
    ['that are long', `${listingXml({ keys: [] })}${' '.repeat(9_000_000)}`],
    ['whose keys are not encoded as they say', listingXml({ keys: ['p/%FF'] })],
    ['whose keys XML cannot carry', listingXml({ keys: ['p/&#1;'], more: '' })],
    ['without a key', '<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>'],
    ['with a size that is none', listingXml({ keys: ['p/a'] }).replace('<Size>7', '<Size>-7')],
    ['with a time that is none', listingXml({ keys: ['p/a'] }).replace('2026-01-02T', 'later')],
    ['cut off without a token', listingXml({ keys: ['p/a'] }).replace('>false<', '>true<')],
  ];
  for (const [what, text] of documents) {
    test(`${what} are refused`, async () => {
      await assert.rejects(list([text]), isError('backend'));
    });
  }
});
