import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { type Answer, type S3Stage, openStage } from './test-stage.ts';
import { childrenOf, textIn } from './xml/find.ts';
import { parseXml } from './xml/reader.ts';

const partBytes = 5 * 1024 * 1024;

async function begin(at: S3Stage, target: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const answer = await at.ask('POST', `${target}?uploads`, { headers });
  assert.equal(answer.status, 200, answer.text);
  return textIn(parseXml(answer.text), 'UploadId')!;
}

function manifest(parts: readonly (readonly [number, string])[]): string {
  const elements = parts.map(([part, etag]) => `<Part><PartNumber>${part}</PartNumber><ETag>${etag}</ETag></Part>`);
  return `<CompleteMultipartUpload>${elements.join('')}</CompleteMultipartUpload>`;
}

const codeOf = ({ text }: Answer) => textIn(parseXml(text), 'Code');
const md5 = (content: Buffer) => createHash('md5').update(content).digest();

describe('uploads in parts', () => {
  test('become one object, whose parts can be read and told', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    const id = await begin(at, '/box/k', { 'content-type': 'text/x', 'x-amz-meta-a': 'b' });
    const contents = [randomBytes(partBytes), randomBytes(partBytes), randomBytes(100)];
    const etags: string[] = [];
    for (const [index, body] of contents.entries()) {
      const put = await at.ask('PUT', `/box/k?partNumber=${index + 1}&uploadId=${id}`, { body });
      assert.equal(put.headers.etag, `"${md5(body).toString('hex')}"`);
      etags.push(put.headers.etag!);
    }
    const listed = parseXml((await at.ask('GET', `/box/k?uploadId=${id}&max-parts=2`)).text);
    assert.deepEqual([textIn(listed, 'IsTruncated'), textIn(listed, 'NextPartNumberMarker')], ['true', '2']);
    assert.deepEqual(
      childrenOf(listed, 'Part').map((part) => textIn(part, 'ETag')),
      etags.slice(0, 2),
    );
    const rest = parseXml((await at.ask('GET', `/box/k?uploadId=${id}&part-number-marker=2`)).text);
    assert.deepEqual(
      childrenOf(rest, 'Part').map((part) => textIn(part, 'PartNumber')),
      ['3'],
    );
    assert.match((await at.ask('GET', '/box?uploads')).text, new RegExp(`<Upload><Key>k</Key><UploadId>${id}<`));
    const body = manifest(etags.map((etag, index) => [index + 1, etag.replaceAll('"', '&quot;')]));
    const done = await at.ask('POST', `/box/k?uploadId=${id}`, { body });
    assert.equal(done.status, 200, done.text);
    const etag = `"${md5(Buffer.concat(contents.map(md5))).toString('hex')}-3"`;
    assert.equal(textIn(parseXml(done.text), 'ETag'), etag);
    assert.match(textIn(parseXml(done.text), 'Location')!, /^http:\/\/[^/]+\/box\/k$/);
    // A client that did not see the answer asks again.
    const again = await at.ask('POST', `/box/k?uploadId=${id}`, { body });
    assert.equal(textIn(parseXml(again.text), 'ETag'), etag);
    const whole = await at.ask('GET', '/box/k');
    assert.ok(whole.body.equals(Buffer.concat(contents)));
    assert.deepEqual(
      [whole.headers.etag, whole.headers['x-amz-meta-a'], whole.headers['content-type']],
      [etag, 'b', 'text/x'],
    );
    const part = await at.ask('GET', '/box/k?partNumber=3');
    assert.deepEqual(
      [part.status, part.headers['x-amz-mp-parts-count'], part.headers['content-range']],
      [206, '3', `bytes ${2 * partBytes}-${2 * partBytes + 99}/${2 * partBytes + 100}`],
    );
    assert.ok(part.body.equals(contents[2]!));
    const head = await at.ask('HEAD', '/box/k?partNumber=2');
    assert.deepEqual(
      [head.status, head.headers['content-length'], head.headers['x-amz-mp-parts-count']],
      [206, String(partBytes), '3'],
    );
    assert.equal(codeOf(await at.ask('GET', '/box/k?partNumber=4')), 'InvalidPartNumber');
    assert.equal(codeOf(await at.ask('GET', '/box/k?partNumber=0')), 'InvalidArgument');
    assert.equal(
      codeOf(await at.ask('GET', '/box/k?partNumber=1', { headers: { range: 'bytes=0-1' } })),
      'InvalidRequest',
    );
    const headers = { 'x-amz-object-attributes': 'ETag,ObjectParts,ObjectSize,StorageClass', 'x-amz-max-parts': '2' };
    const attributes = parseXml((await at.ask('GET', '/box/k?attributes', { headers })).text);
    assert.deepEqual(
      [textIn(attributes, 'ETag'), textIn(attributes, 'ObjectSize')],
      [etag.slice(1, -1), String(2 * partBytes + 100)],
    );
    const told = childrenOf(attributes, 'ObjectParts')[0]!;
    assert.deepEqual(
      [textIn(told, 'PartsCount'), textIn(told, 'IsTruncated'), childrenOf(told, 'Part').length],
      ['3', 'true', 2],
    );
    const unknown = { 'x-amz-object-attributes': 'Colour' };
    assert.equal(codeOf(await at.ask('GET', '/box/k?attributes', { headers: unknown })), 'InvalidArgument');
  });

  test('are refused when their list is wrong', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    const id = await begin(at, '/box/k');
    const target = `/box/k?uploadId=${id}`;
    const put = await at.ask('PUT', `/box/k?partNumber=1&uploadId=${id}`, { body: 'x' });
    const second = await at.ask('PUT', `/box/k?partNumber=2&uploadId=${id}`, { body: 'y' });
    const [one, two] = [put.headers.etag!, second.headers.etag!];
    const cases: readonly (readonly [string, string])[] = [
      [
        manifest([
          [2, two],
          [1, one],
        ]),
        'InvalidPartOrder',
      ],
      [
        manifest([
          [1, one],
          [1, one],
        ]),
        'InvalidPartOrder',
      ],
      [
        manifest([
          [1, one],
          [2, two],
        ]),
        'EntityTooSmall',
      ],
      [manifest([[1, two]]), 'InvalidPart'],
      [manifest([[3, one]]), 'InvalidPart'],
      [manifest([[0, one]]), 'InvalidArgument'],
      [manifest([[10_001, one]]), 'InvalidArgument'],
      [manifest([]), 'MalformedXML'],
      ['', 'MalformedXML'],
      ['<Other/>', 'MalformedXML'],
    ];
    for (const [body, code] of cases) {
      const answer = await at.ask('POST', target, { body });
      assert.equal(codeOf(answer), code, body);
    }
    for (const number of ['0', '10001', 'x', '']) {
      const answer = await at.ask('PUT', `/box/k?partNumber=${number}&uploadId=${id}`, { body: 'x' });
      assert.equal(codeOf(answer), 'InvalidArgument', number);
    }
    const size = { 'x-amz-mp-object-size': '2' };
    assert.notEqual((await at.ask('POST', target, { body: manifest([[1, one]]), headers: size })).status, 200);
    assert.equal((await at.ask('POST', target, { body: manifest([[1, one]]) })).status, 200);
  });

  test('failure 16: belong to their bucket and key alone', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/other');
    const id = await begin(at, '/box/k');
    for (const target of ['/other/k', '/box/other']) {
      assert.equal(codeOf(await at.ask('PUT', `${target}?partNumber=1&uploadId=${id}`, { body: 'x' })), 'NoSuchUpload');
      assert.equal(codeOf(await at.ask('GET', `${target}?uploadId=${id}`)), 'NoSuchUpload');
      assert.equal(
        codeOf(await at.ask('POST', `${target}?uploadId=${id}`, { body: manifest([[1, 'x']]) })),
        'NoSuchUpload',
      );
      assert.equal(codeOf(await at.ask('DELETE', `${target}?uploadId=${id}`)), 'NoSuchUpload');
    }
    assert.equal(codeOf(await at.ask('DELETE', '/box/k?uploadId=')), 'NoSuchUpload');
    assert.equal((await at.ask('DELETE', `/box/k?uploadId=${id}`)).status, 204);
    assert.equal(codeOf(await at.ask('DELETE', `/box/k?uploadId=${id}`)), 'NoSuchUpload');
  });

  test('take parts of other objects', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/box/source', { body: '0123456789' });
    const id = await begin(at, '/box/k');
    const copy = (number: number, range?: string) =>
      at.ask('PUT', `/box/k?partNumber=${number}&uploadId=${id}`, {
        headers: {
          'x-amz-copy-source': '/box/source',
          ...(range === undefined ? {} : { 'x-amz-copy-source-range': range }),
        },
      });
    const part = await copy(1, 'bytes=2-5');
    assert.equal(textIn(parseXml(part.text), 'ETag'), `"${md5(Buffer.from('2345')).toString('hex')}"`);
    for (const range of ['bytes=5-2', 'bytes=-5', 'bytes=1-', '1-2', 'bytes=0-1,3-4']) {
      assert.equal(codeOf(await copy(1, range)), 'InvalidArgument', range);
    }
    assert.ok(['InvalidRange', 'InvalidArgument'].includes(codeOf(await copy(1, 'bytes=5-10'))!));
    const etag = textIn(parseXml(part.text), 'ETag')!;
    assert.equal((await at.ask('POST', `/box/k?uploadId=${id}`, { body: manifest([[1, etag]]) })).status, 200);
    assert.equal((await at.ask('GET', '/box/k')).text, '2345');
  });

  test('have checksums of the whole, composite or full', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    const id = await begin(at, '/box/k', { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'FULL_OBJECT' });
    const put = await at.ask('PUT', `/box/k?partNumber=1&uploadId=${id}`, {
      body: 'hello',
      headers: { 'x-amz-checksum-crc32': 'NhCmhg==' },
    });
    assert.equal(put.headers['x-amz-checksum-crc32'], 'NhCmhg==');
    const headers = { 'x-amz-checksum-crc32': 'NhCmhg==', 'x-amz-checksum-type': 'FULL_OBJECT' };
    const body = manifest([[1, put.headers.etag!]]);
    const wrong = { ...headers, 'x-amz-checksum-crc32': 'AAAAAA==' };
    assert.equal(codeOf(await at.ask('POST', `/box/k?uploadId=${id}`, { body, headers: wrong })), 'BadDigest');
    const done = await at.ask('POST', `/box/k?uploadId=${id}`, { body, headers });
    assert.deepEqual(
      [textIn(parseXml(done.text), 'ChecksumCRC32'), textIn(parseXml(done.text), 'ChecksumType')],
      ['NhCmhg==', 'FULL_OBJECT'],
    );
    const refused = await at.ask('POST', '/box/k?uploads', {
      headers: { 'x-amz-checksum-algorithm': 'SHA256', 'x-amz-checksum-type': 'FULL_OBJECT' },
    });
    assert.equal(codeOf(refused), 'InvalidRequest');
  });

  test('whose work takes long are answered with white space first, and with errors inside a 200', async () => {
    await using at = await openStage({ limits: { patienceMs: 50 } });
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/box/source', { body: randomBytes(100_000) });
    // With a checksum that the source lacks the bytes are read and written anew.
    const headers = { 'x-amz-copy-source': '/box/source', 'x-amz-checksum-algorithm': 'SHA256' };
    at.backend.faults.push({ verb: 'put', times: 1, effect: 'slow', delayMs: 200 });
    const slow = await at.ask('PUT', '/box/k', { headers });
    assert.match(slow.text, /^<\?xml version="1.0" encoding="UTF-8"\?>\n {2,}<CopyObjectResult /);
    assert.equal((await at.ask('HEAD', '/box/k')).headers['content-length'], '100000');
    at.backend.faults.push(
      { verb: 'get', times: 10, effect: 'slow', delayMs: 120 },
      { verb: 'put', times: 10, effect: 'fail' },
    );
    const failed = await at.ask('PUT', '/box/other', { headers });
    assert.equal(failed.status, 200);
    assert.match(failed.text, /^<\?xml [^>]*>\n {2,}<Error><Code>ServiceUnavailable<\/Code>/);
    assert.equal((await at.ask('HEAD', '/box/other')).status, 404);
  });
});
