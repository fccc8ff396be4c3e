import assert from 'node:assert/strict';
import { type Case, acceptanceCase } from '../case.ts';
import { headText, outcomeOf, rawExchange, textsOf } from '../wire.ts';
import { baseDomain } from '../rig.ts';

/** Sub-resources of S3 that the gateway does not have, by method: of buckets, and of objects. */
const bucketSubresources: Readonly<Record<string, readonly string[]>> = {
  GET: [
    'logging',
    'replication',
    'website',
    'analytics',
    'inventory',
    'metrics',
    'intelligent-tiering',
    'session',
    'metadataTable',
  ],
  PUT: [
    'logging',
    'replication',
    'website',
    'accelerate',
    'requestPayment',
    'analytics&id=1',
    'inventory&id=1',
    'metrics&id=1',
    'intelligent-tiering&id=1',
    'unheard-of',
  ],
  DELETE: [
    'website',
    'replication',
    'analytics&id=1',
    'inventory&id=1',
    'metrics&id=1',
    'versioning',
    'acl',
    'unheard-of',
  ],
  POST: ['metadataTable', 'unheard-of', 'restore'],
};
const objectSubresources: Readonly<Record<string, readonly string[]>> = {
  GET: ['torrent', 'uploads', 'select', 'unheard-of'],
  PUT: ['torrent', 'renameObject', 'encryption', 'versionId=null', 'unheard-of', 'append', 'attributes'],
  DELETE: ['acl', 'retention', 'legal-hold', 'torrent', 'unheard-of', 'tagging&unheard-of'],
  POST: ['restore', 'select&select-type=2', 'unheard-of', 'delete'],
};

function asks(
  path: string,
  table: Readonly<Record<string, readonly string[]>>,
): readonly (readonly [string, string])[] {
  return Object.entries(table).flatMap(([method, names]) => names.map((name) => [method, `${path}?${name}`] as const));
}

const xmlBodies: Readonly<Record<string, string>> = {
  'no XML': 'this is no XML',
  'XML that does not end': '<Tagging><TagSet>',
  'another document': '<CORSConfiguration/>',
  'an entity':
    '<!DOCTYPE t [<!ENTITY e "x">]><Tagging><TagSet><Tag><Key>&e;</Key><Value>v</Value></Tag></TagSet></Tagging>',
  'entities of entities': `<!DOCTYPE t [<!ENTITY a "${'x'.repeat(100)}">${Array.from({ length: 9 }, (_, index) => `<!ENTITY a${index} "${'&a;'.repeat(10)}">`).join('')}]><Tagging><TagSet><Tag><Key>&a8;</Key><Value>v</Value></Tag></TagSet></Tagging>`,
  'a nest of 1,000 elements': '<a>'.repeat(1000) + '</a>'.repeat(1000),
  'bytes that are no text': '\u0000\u0001',
};

export const refusalCases: readonly Case[] = [
  acceptanceCase('failure 17: a sub-resource that is not there is 501 and touches nothing', async (world) => {
    const bucket = await world.bucket();
    await world.send({ method: 'PUT', target: `/${bucket}/k`, body: 'as it was' });
    const asked = [...asks(`/${bucket}`, bucketSubresources), ...asks(`/${bucket}/k`, objectSubresources)];
    const wrong: string[] = [];
    for (const [method, target] of asked) {
      const answer = await world.send({
        method,
        target,
        ...(method === 'GET' || method === 'DELETE' ? {} : { body: 'x' }),
      });
      if (answer.status !== 501 || answer.code !== 'NotImplemented')
        wrong.push(`${method} ${target}: ${answer.status} ${answer.code}`);
    }
    assert.deepEqual(wrong, []);
    const read = await world.send({ method: 'GET', target: `/${bucket}/k` });
    const { text } = await world.send({ method: 'GET', target: `/${bucket}` });
    assert.deepEqual([read.text, textsOf(text, 'Key')], ['as it was', ['k']]);
  }),
  acceptanceCase('headers that ask for what is not there are refused, and nothing is written', async (world) => {
    const bucket = await world.bucket();
    const asked: readonly (readonly [string, string, number, string])[] = [
      ['x-amz-server-side-encryption', 'rot13', 400, 'InvalidArgument'],
      ['x-amz-server-side-encryption-customer-algorithm', 'AES256', 400, 'InvalidArgument'],
      ['x-amz-website-redirect-location', '/x', 501, 'NotImplemented'],
      ['x-amz-grant-read', 'id=1', 400, 'AccessControlListNotSupported'],
      ['x-amz-storage-class', 'GLACIER', 400, 'InvalidStorageClass'],
      ['x-amz-expected-bucket-owner', '123456789012', 403, 'AccessDenied'],
      ['x-amz-write-offset-bytes', '0', 501, 'NotImplemented'],
    ];
    for (const [name, value, status, code] of asked) {
      const answer = await world.send({ method: 'PUT', target: `/${bucket}/k`, body: 'x', headers: { [name]: value } });
      assert.deepEqual([name, answer.status, answer.code], [name, status, code]);
    }
    assert.equal((await world.send({ method: 'HEAD', target: `/${bucket}/k` })).status, 404);
  }),
  ...Object.entries(xmlBodies).map(([what, body]) =>
    acceptanceCase(`a document with ${what} is MalformedXML`, async (world) => {
      const bucket = await world.bucket();
      await world.send({ method: 'PUT', target: `/${bucket}/k`, body: 'x', headers: { 'x-amz-tagging': 'a=1' } });
      for (const target of [
        `/${bucket}/k?tagging`,
        `/${bucket}?tagging`,
        `/${bucket}?lifecycle`,
        `/${bucket}?versioning`,
      ]) {
        const answer = await world.send({ method: 'PUT', target, body });
        assert.deepEqual([target, answer.status, answer.code], [target, 400, 'MalformedXML']);
      }
      const { text } = await world.send({ method: 'GET', target: `/${bucket}/k?tagging` });
      assert.deepEqual(textsOf(text, 'Value'), ['1']);
    }),
  ),
  acceptanceCase('a document that is too long is refused', async (world) => {
    const bucket = await world.bucket();
    const body = `<Tagging>${' '.repeat(3_000_000)}</Tagging>`;
    const answer = await world.send({ method: 'PUT', target: `/${bucket}?tagging`, body });
    assert.deepEqual([answer.status, answer.code], [400, 'MaxMessageLengthExceeded']);
  }),
  acceptanceCase('headers that are too large are refused with an answer', async (world) => {
    const bucket = await world.bucket();
    const { s3Url } = world.gateway;
    const head = headText('GET', `/${bucket}`, ['host', 'x', 'x-long', 'y'.repeat(100_000)]);
    assert.deepEqual(outcomeOf(await rawExchange(s3Url, [head])), {
      status: 400,
      code: 'RequestHeaderSectionTooLarge',
    });
  }),
  acceptanceCase('what is no HTTP is refused with an answer', async (world) => {
    const { s3Url } = world.gateway;
    for (const text of ['\u0016\u0003\u0001 hello\r\n\r\n', 'GET / HTTP/1.1\r\nbroken header\r\n\r\n', 'GET\r\n\r\n']) {
      assert.equal(outcomeOf(await rawExchange(s3Url, [text])).status, 400, text);
    }
    const without = await rawExchange(s3Url, ['GET / HTTP/1.1\r\n\r\n']);
    assert.equal(outcomeOf(without).status, 400);
    const smuggled =
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /';
    assert.equal(outcomeOf(await rawExchange(s3Url, [smuggled])).status, 400);
  }),
  acceptanceCase('trap 28: below a base domain the bucket is in the host, with keys of any form', async (world) => {
    const bucket = await world.bucket();
    const host = `${bucket}.${baseDomain}`;
    const put = await world.send({ method: 'PUT', target: '/folder/k', body: 'content', headers: { host } });
    assert.equal(put.status, 200, put.text);
    const read = await world.send({ method: 'GET', target: `/${bucket}/folder/k` });
    assert.equal(read.text, 'content', 'the same object in path style');
    const list = await world.send({ method: 'GET', target: '/?list-type=2', headers: { host: `${host}:9000` } });
    assert.deepEqual(textsOf(list.text, 'Key'), ['folder/k']);
    const all = await world.send({ method: 'GET', target: '/', headers: { host: baseDomain } });
    assert.ok(textsOf(all.text, 'Name').includes(bucket));
    const path = await world.send({ method: 'GET', target: `/${bucket}/folder/k`, headers: { host: baseDomain } });
    assert.equal(path.text, 'content');
    const absent = await world.send({ method: 'GET', target: '/k', headers: { host: `nobody.${baseDomain}` } });
    assert.deepEqual([absent.status, absent.code], [404, 'NoSuchBucket']);
  }),
];
