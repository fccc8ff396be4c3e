import assert from 'node:assert/strict';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { presign } from '../../../../src/objects/s3/signature/sign.ts';
import { type Case, acceptanceCase } from '../case.ts';
import { browse, headText, outcomeOf, rawExchange, signedHeaders, textsOf } from '../wire.ts';
import type { World } from '../world.ts';

const minuteMs = 60_000;

interface Presigned {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expiresSeconds?: number;
  readonly timeMs?: number;
}

/** The target of a presigned URL. */
function presigned(world: World, url: string, wish: Presigned): string {
  const { method, path, query = '', headers = {}, expiresSeconds = 60, timeMs = Date.now() } = wish;
  const rawHeaders = ['host', new URL(url).host, ...Object.entries(headers).flat()];
  const request = { method, rawPath: path, rawQuery: query, rawHeaders };
  return `${path}?${presign(request, world.owner, { timeMs, expiresSeconds })}`;
}

/** Fetches a presigned URL as a browser would, with these headers; gives the status and the text. */
async function open(world: World, wish: Presigned, init: RequestInit = {}, change = (target: string) => target) {
  const { s3Url } = world.gateway;
  const target = change(presigned(world, s3Url, wish));
  const headers = { ...wish.headers, ...(init.headers as Record<string, string> | undefined) };
  const answer = await browse(s3Url + target, { method: wish.method, ...init, headers });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, code: /<Code>(\w+)/.exec(text)?.[1] ?? '' };
}

async function withObject(world: World): Promise<string> {
  const Bucket = await world.bucket();
  await world.s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'content', ContentType: 'text/plain' }));
  return `/${Bucket}/k`;
}

export const signatureCases: readonly Case[] = [
  acceptanceCase(
    'failure 16, trap 5: a signature is over the bytes on the wire, whatever is encoded in them',
    async (world) => {
      const bucket = await world.bucket();
      for (const key of ['a%20b', 'a+b', 'a%2Bb', '%C3%A9', 'a%2Fb', "it's(1)!*", '%24%26%2C%3A%3B%3D%40', 'a=b&c=d']) {
        const put = await world.send({ method: 'PUT', target: `/${bucket}/${key}`, body: key });
        const read = await world.send({ method: 'GET', target: `/${bucket}/${key}` });
        assert.deepEqual([key, put.status, read.status, read.text], [key, 200, 200, key], put.text);
      }
      // A bare plus in a query is sent by serialisers of forms alone, who mean a space by it.
      for (const [prefix, key] of [
        ['a%2Bb', 'a+b'],
        ['a%20b', 'a b'],
        ['a+b', 'a b'],
      ] as const) {
        const { text } = await world.send({ method: 'GET', target: `/${bucket}?prefix=${prefix}` });
        assert.deepEqual([prefix, ...textsOf(text, 'Key')], [prefix, key]);
      }
    },
  ),
  acceptanceCase('trap 6: white space in headers is folded, and all x-amz- headers must be signed', async (world) => {
    const bucket = await world.bucket();
    const target = `/${bucket}/k`;
    const headers = { 'x-amz-meta-folded': '  two   words  ' };
    const put = await world.send({ method: 'PUT', target, body: 'content', headers });
    assert.equal(put.status, 200, put.text);
    const { s3Url } = world.gateway;
    const raw = signedHeaders(s3Url, { method: 'PUT', target, body: 'content' }, world.owner);
    const head = headText('PUT', target, [...raw, 'x-amz-meta-late', 'added', 'content-length', '7']);
    assert.deepEqual(outcomeOf(await rawExchange(s3Url, [head, 'content'])), { status: 403, code: 'AccessDenied' });
    const withoutHost = raw.map((text) => text.replace('host;', ''));
    const answer = await rawExchange(s3Url, [
      headText('PUT', target, [...withoutHost, 'content-length', '7']),
      'content',
    ]);
    assert.equal(outcomeOf(answer).status, 403);
  }),
  acceptanceCase('a changed method, path, query, header or body does not pass', async (world) => {
    const target = await withObject(world);
    const { s3Url } = world.gateway;
    const signed = (ask: { method: string; target: string; body?: string }) => signedHeaders(s3Url, ask, world.owner);
    const read = signed({ method: 'GET', target });
    for (const [method, changed] of [
      ['DELETE', target],
      ['GET', `${target}x`],
      ['GET', `${target}?acl`],
    ] as const) {
      const answer = outcomeOf(await rawExchange(s3Url, [headText(method, changed, read)]));
      assert.deepEqual(answer, { status: 403, code: 'SignatureDoesNotMatch' }, `${method} ${changed}`);
    }
    const write = [...signed({ method: 'PUT', target, body: 'content' }), 'content-length', '7'];
    const other = outcomeOf(await rawExchange(s3Url, [headText('PUT', target, write), 'CONTENT']));
    assert.deepEqual(other, { status: 400, code: 'XAmzContentSHA256Mismatch' });
    assert.equal((await world.send({ method: 'GET', target })).text, 'content');
  }),
  ...([-1, 1] as const).map((side) =>
    acceptanceCase(
      `trap 7: a request signed 16 minutes ${side < 0 ? 'ago' : 'ahead'} is RequestTimeTooSkewed, one of 14 is not`,
      async (world) => {
        const target = await withObject(world);
        const at = (minutes: number) =>
          world.send({ method: 'GET', target, timeMs: Date.now() + side * minutes * minuteMs });
        const [far, near] = [await at(16), await at(14)];
        assert.deepEqual([far.status, far.code, near.status], [403, 'RequestTimeTooSkewed', 200]);
      },
    ),
  ),
  acceptanceCase('trap 7: a presigned URL is good for its time, and for at most 7 days', async (world) => {
    const path = await withObject(world);
    const good = await open(world, { method: 'GET', path });
    assert.deepEqual([good.status, good.text], [200, 'content']);
    const hourAgo = Date.now() - 60 * minuteMs;
    const long = await open(world, { method: 'GET', path, timeMs: hourAgo, expiresSeconds: 7200 });
    assert.equal(long.status, 200, 'the window of header signatures is not for it');
    const late = await open(world, { method: 'GET', path, timeMs: hourAgo });
    assert.deepEqual([late.status, late.code], [403, 'AccessDenied']);
    assert.match(late.text, /<Expires>/);
    const tooLong = await open(world, { method: 'GET', path }, {}, (target) =>
      target.replace('Expires=60', 'Expires=604801'),
    );
    assert.deepEqual([tooLong.status, tooLong.code], [400, 'AuthorizationQueryParametersError']);
    const longer = await open(world, { method: 'GET', path }, {}, (target) =>
      target.replace('Expires=60', 'Expires=600'),
    );
    assert.deepEqual([longer.status, longer.code], [403, 'SignatureDoesNotMatch']);
  }),
  acceptanceCase('a presigned URL is for its method, key, headers and query alone', async (world) => {
    const path = await withObject(world);
    const get = { method: 'GET', path };
    for (const [what, method, change] of [
      ['method', 'DELETE', (target: string) => target],
      ['key', 'GET', (target: string) => target.replace('/k?', '/other?')],
      ['query', 'GET', (target: string) => `${target}&versionId=null`],
      ['signature', 'GET', (target: string) => target.replace(/Signature=\w{4}/, 'Signature=0000')],
    ] as const) {
      const answer = await open(world, get, { method }, change);
      assert.deepEqual([what, answer.status, answer.code], [what, 403, 'SignatureDoesNotMatch']);
    }
    const typed = { method: 'PUT', path, headers: { 'content-type': 'text/css' } };
    const kept = await open(world, typed, { body: 'body' });
    const changed = await open(world, typed, { body: 'body', headers: { 'content-type': 'text/html' } });
    assert.deepEqual([kept.status, changed.status, changed.code], [200, 403, 'SignatureDoesNotMatch']);
  }),
  acceptanceCase('a presigned URL may carry headers of the answer and of the object', async (world) => {
    const path = await withObject(world);
    const query =
      'response-content-disposition=attachment%3B%20filename%3D%22a.txt%22&response-content-type=text%2Fcsv';
    const read = await open(world, { method: 'GET', path, query });
    assert.equal(read.headers.get('content-disposition'), 'attachment; filename="a.txt"');
    assert.equal(read.headers.get('content-type'), 'text/csv');
    const put = await open(world, { method: 'PUT', path: `${path}2`, query: 'x-amz-meta-from=url' }, { body: 'body' });
    assert.equal(put.status, 200, put.text);
    const head = await world.send({ method: 'HEAD', target: `${path}2` });
    assert.equal(head.headers['x-amz-meta-from'], 'url');
    const anonymous = await browse(`${world.gateway.s3Url}${path}?response-content-type=text%2Fhtml`);
    assert.ok(anonymous.status === 403 || anonymous.status === 400);
  }),
  acceptanceCase('dates and credentials that are none are refused, each with its own code', async (world) => {
    const target = await withObject(world);
    const { s3Url } = world.gateway;
    const raw = signedHeaders(s3Url, { method: 'GET', target }, world.owner);
    const at = (name: string) => raw.indexOf(name) + 1;
    const changes: readonly (readonly [string, string[], number, string])[] = [
      ['a date that is none', raw.with(at('x-amz-date'), 'yesterday'), 403, 'AccessDenied'],
      ['no date', raw.toSpliced(at('x-amz-date') - 1, 2), 403, 'AccessDenied'],
      ['another scheme', raw.with(at('authorization'), 'Basic abc'), 400, 'InvalidArgument'],
      ['no credential', raw.with(at('authorization'), 'AWS4-HMAC-SHA256 x'), 400, 'AuthorizationHeaderMalformed'],
      ['an old signature', raw.with(at('authorization'), 'AWS AKID:sig'), 400, 'InvalidRequest'],
      ['no hash of the body', raw.toSpliced(at('x-amz-content-sha256') - 1, 2), 400, 'InvalidRequest'],
      ['a hash that is none', raw.with(at('x-amz-content-sha256'), 'zz'), 400, 'InvalidArgument'],
    ];
    const outcomes: unknown[] = [];
    for (const [what, headers] of changes) {
      outcomes.push([what, ...Object.values(outcomeOf(await rawExchange(s3Url, [headText('GET', target, headers)])))]);
    }
    assert.deepEqual(
      outcomes,
      changes.map(([what, , status, code]) => [what, status, code]),
    );
  }),
];
