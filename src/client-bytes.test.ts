import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { serving } from '../test/support/http-server.ts';
import { Refused, isBrokenConnection } from './client-bytes.ts';
import { HoldfastError } from './kernel/errors/errors.ts';

async function* chunksOf(count: number, bytes: number, onTaken = () => {}): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index++) {
    onTaken();
    yield Buffer.alloc(bytes, index);
  }
}

describe('the client of bytes', () => {
  test('sends the address as it is, the length, and the token', async () => {
    await using served = await serving((request, response) => {
      let length = 0;
      request.on('data', (chunk: Buffer) => (length += chunk.length));
      request.on('end', () => {
        const { url, headers } = request;
        response.end(JSON.stringify({ url, length, told: headers['content-length'], as: headers.authorization }));
      });
    });
    const { client } = served;
    const body = { sizeBytes: 3_000_000, chunks: chunksOf(30, 100_000) };
    const response = await client.send({ method: 'PUT', path: '/a/../b//c', body });
    assert.deepEqual(JSON.parse(await client.text(response)), {
      url: '/a/../b//c',
      length: 3_000_000,
      told: '3000000',
      as: 'Bearer secret',
    });
  });

  test('tells an early answer, and stops taking from the source', async () => {
    await using served = await serving((_request, response) => {
      response.writeHead(503, { 'retry-after': '7', 'content-type': 'application/json' });
      response.end('{"error":"Later.","code":"SERVICE_UNAVAILABLE"}');
    });
    let taken = 0;
    const chunks = chunksOf(10_000, 100_000, () => taken++);
    const sending = served.client.send({ method: 'PUT', path: '/x', body: { sizeBytes: 1e9, chunks } });
    await assert.rejects(sending, (error) => {
      assert.ok(error instanceof Refused);
      assert.deepEqual([error.status, error.message, error.retryAfterMs], [503, 'Later.', 7_000]);
      return true;
    });
    assert.ok(taken < 5_000, `${taken} chunks were taken`);
  });

  test('uses no connection again on which a body was refused, since the rest of it may be in the way', async () => {
    const sockets: unknown[] = [];
    await using served = await serving((request, response) => {
      sockets.push(request.socket);
      // As a server does that has read some of the body and then no more.
      request.pause();
      response.writeHead(sockets.length === 1 ? 503 : 200).end('{}');
    });
    const { client } = served;
    const body = { sizeBytes: 3_000, chunks: chunksOf(3, 1_000) };
    await assert.rejects(client.send({ method: 'PUT', path: '/x', body }), Refused);
    await client.json({ method: 'GET', path: '/x' });
    await client.json({ method: 'GET', path: '/x' });
    assert.notEqual(sockets[0], sockets[1]);
    assert.equal(sockets[1], sockets[2]);
  });

  test('throws what the source throws, and breaks the request so that nothing is taken for whole', async () => {
    const seen = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<boolean>();
    await using served = await serving((request) => {
      request.on('data', () => seen.resolve());
      request.on('close', () => aborted.resolve(!request.complete));
      // A broken request is an error of it, which is what this is about.
      request.on('error', () => {});
    });
    async function* failing(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(10);
      await seen.promise;
      throw new Error('the disk is gone');
    }
    const sending = served.client.send({ method: 'PUT', path: '/x', body: { sizeBytes: 100, chunks: failing() } });
    await assert.rejects(sending, /the disk is gone/);
    assert.equal(await aborted.promise, true);
  });

  test('tells a connection that broke, before the answer and in its middle', async () => {
    await using silent = await serving((request) => void request.socket.destroy());
    await assert.rejects(silent.client.send({ method: 'GET', path: '/x' }), isBrokenConnection);
    await using halfway = await serving((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setImmediate(() => response.destroy());
    });
    const { client } = halfway;
    const reading = async () => {
      for await (const chunk of client.bytes(await client.send({ method: 'GET', path: '/x' })))
        assert.ok(chunk.length > 0);
    };
    await assert.rejects(reading, isBrokenConnection);
  });

  test('tells that nobody answers', async () => {
    const served = await serving(() => {});
    await served[Symbol.asyncDispose]();
    await assert.rejects(served.client.send({ method: 'GET', path: '/x' }), (error) => {
      assert.ok(error instanceof HoldfastError && error.kind === 'unavailable');
      assert.match(error.message, /Is the server running/);
      return !isBrokenConnection(error);
    });
  });

  test('gives up when nothing moves for too long', async () => {
    await using served = await serving(() => {});
    const waiting = served.client.send({ method: 'GET', path: '/x', idleTimeoutMs: 50 });
    await assert.rejects(waiting, /nothing moved for 0\.05 s/);
  });

  test('ends when it is told to, with the reason', async () => {
    await using served = await serving(() => {});
    const control = new AbortController();
    const waiting = served.client.send({ method: 'GET', path: '/x', signal: control.signal });
    control.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
  });
});
