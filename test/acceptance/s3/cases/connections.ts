import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type Case, acceptanceCase, bytesOf, mebibyte } from '../case.ts';
import { type Ask, headText, openSocket, outcomeOf, rawExchange, signedHeaders, textsOf } from '../wire.ts';
import type { World } from '../world.ts';

/** A request as bytes: its body is not covered by its signature. */
function wire(world: World, s3Url: string, ask: Ask, extra: readonly string[] = []): Buffer {
  const { method, target, body = '' } = ask;
  const raw = signedHeaders(s3Url, { method, target, payloadHash: 'UNSIGNED-PAYLOAD' }, world.owner);
  const length = method === 'PUT' ? ['content-length', String(Buffer.byteLength(body))] : [];
  return Buffer.concat([Buffer.from(headText(method, target, [...raw, ...length, ...extra])), Buffer.from(body)]);
}

export const connectionCases: readonly Case[] = [
  acceptanceCase('failure 25: a slow client that goes on is waited for', async (world) => {
    const bucket = await world.bucket();
    const { s3Url } = world.gateway;
    const target = `/${bucket}/k`;
    const raw = signedHeaders(s3Url, { method: 'PUT', target, payloadHash: 'UNSIGNED-PAYLOAD' }, world.owner);
    const socket = openSocket(s3Url);
    const answered = new Promise<string>((resolve, reject) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      socket.once('error', reject);
    });
    socket.write(headText('PUT', target, [...raw, 'content-length', '200000']));
    for (let sent = 0; sent < 200_000; sent += 20_000) {
      socket.write(Buffer.alloc(20_000, 'x'));
      await delay(20);
    }
    assert.match(await answered, /^HTTP\/1\.1 200 /);
    socket.destroy();
    assert.equal((await world.send({ method: 'HEAD', target })).headers['content-length'], '200000');
  }),
  acceptanceCase('a refused request does not spoil what follows on its connection', async (world) => {
    const bucket = await world.bucket();
    const { s3Url } = world.gateway;
    const refused = wire(world, s3Url, {
      method: 'PUT',
      target: '/no-such-bucket-here/k',
      body: 'GET / HTTP/1.1\r\n\r\n'.repeat(3000),
    });
    const good = wire(world, s3Url, { method: 'PUT', target: `/${bucket}/k`, body: 'content' }, [
      'connection',
      'close',
    ]);
    const received = await new Promise<string>((resolve, reject) => {
      const socket = openSocket(s3Url);
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
      socket.write(Buffer.concat([refused, good]));
    });
    const statuses = [...received.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
    assert.deepEqual(statuses, ['404', '200']);
    assert.equal((await world.send({ method: 'GET', target: `/${bucket}/k` })).text, 'content');
  }),
  acceptanceCase('a chunked body without the length of its content is refused', async (world) => {
    const bucket = await world.bucket();
    const { s3Url } = world.gateway;
    const ask = {
      method: 'PUT',
      target: `/${bucket}/k`,
      payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      headers: { 'x-amz-trailer': 'x-amz-checksum-crc32' },
    };
    const body = '0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';
    const head = headText('PUT', ask.target, [
      ...signedHeaders(s3Url, ask, world.owner),
      'content-length',
      String(body.length),
    ]);
    assert.deepEqual(outcomeOf(await rawExchange(s3Url, [head, body])), { status: 411, code: 'MissingContentLength' });
  }),
  acceptanceCase(
    'who reads an object while it is overwritten gets the old one whole, or an error, never a mixture',
    async (world) => {
      const bucket = await world.bucket();
      const { s3Url } = world.gateway;
      const target = `/${bucket}/k`;
      const [before, after] = [bytesOf(8 * mebibyte, 1), bytesOf(8 * mebibyte, 2)];
      await world.send({ method: 'PUT', target, body: before });
      const socket = openSocket(s3Url);
      const chunks: Buffer[] = [];
      // An end in the middle may come as an error.
      const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()).on('error', () => undefined));
      const begun = once(socket, 'data');
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.write(wire(world, s3Url, { method: 'GET', target }, ['connection', 'close']));
      await begun;
      socket.pause();
      assert.equal((await world.send({ method: 'PUT', target, body: after })).status, 200);
      await world.clean();
      socket.resume();
      await ended;
      const received = Buffer.concat(chunks);
      const body = received.subarray(received.indexOf('\r\n\r\n') + 4);
      assert.ok(body.equals(before.subarray(0, body.length)), 'what came is of the old content');
      assert.ok((await world.send({ method: 'GET', target })).body.equals(after));
    },
  ),
  acceptanceCase('an object of 17 MiB comes back, whole and in ranges', async (world) => {
    const bucket = await world.bucket();
    const target = `/${bucket}/k`;
    const body = bytesOf(17 * mebibyte, 5);
    assert.equal((await world.send({ method: 'PUT', target, body })).status, 200);
    assert.ok((await world.send({ method: 'GET', target })).body.equals(body));
    for (const first of [8 * mebibyte - 3, 16 * mebibyte - 3, 17 * mebibyte - 7]) {
      const read = await world.send({ method: 'GET', target, headers: { range: `bytes=${first}-${first + 6}` } });
      assert.ok(read.body.equals(body.subarray(first, first + 7)), String(first));
    }
    const { text } = await world.send({ method: 'GET', target: `/${bucket}/` });
    assert.deepEqual(textsOf(text, 'Size'), [String(body.length)]);
  }),
];
