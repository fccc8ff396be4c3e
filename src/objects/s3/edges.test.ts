import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { until } from '../../../test/support/wait.ts';
import { type S3Stage, openStage } from './test-stage.ts';

const unsigned = 'UNSIGNED-PAYLOAD';

/** A request's first line and headers as they stand on the wire, signed. */
function head(at: S3Stage, method: string, target: string, headers: Readonly<Record<string, string>>): string {
  const raw = at.sign(method, target, ['host', at.url.host, ...Object.entries(headers).flat()], unsigned);
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (let index = 0; index < raw.length; index += 2) text += `${raw[index]}: ${raw[index + 1]}\r\n`;
  return `${text}\r\n`;
}

/** What is stored: nothing a refused write may leave. */
async function leftBehind(at: S3Stage): Promise<number> {
  const { objects } = at.world.gateway;
  const page = { bucket: 'box', prefix: '', delimiter: null, after: null, limit: 10 };
  return at.backend.blobs.size + (await objects.list(page)).versions.length;
}

/** A connection with what it received, and when it ended. */
function talk(at: S3Stage) {
  const socket = at.connect();
  const seen = { socket, received: '', closed: once(socket, 'close') };
  socket.on('error', () => {});
  socket.on('data', (chunk) => (seen.received += chunk.toString('latin1')));
  return seen;
}

function assertIds(answer: string): void {
  assert.match(answer, /\r\nx-amz-request-id: [0-9A-F]{16}\r\n/i);
  assert.match(answer, /\r\nx-amz-id-2: \S+\r\n/i);
}

describe('broken requests', () => {
  test('are refused as S3 refuses them, with ids, and end their connection', async () => {
    await using at = await openStage({ limits: { headerBytesMax: 16_384 } });
    const refused: readonly (readonly [string, RegExp])[] = [
      ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 .*<Code>BadRequest</s],
      ['GET / HTTP/9.9\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 400 .*<Code>BadRequest</s],
      ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400 .*<Code>BadRequest</s],
      ['GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n', /<Code>BadRequest</],
      ['PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', /<Code>BadRequest</],
      ['PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', /<Code>BadRequest</],
      ['PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', /<Code>BadRequest</],
      [
        `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
        /^HTTP\/1\.1 400 .*RequestHeaderSectionTooLarge/s,
      ],
      [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, /RequestHeaderSectionTooLarge/],
      ['GET http://a:b:c/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /<Code>(?:BadRequest|AccessDenied)</],
      ['GET /b/%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400 .*<Code>InvalidURI</s],
      [`GET /b/${'k'.repeat(1025)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, /<Code>KeyTooLongError</],
      ['OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /<Code>InvalidURI</],
      ['BREW /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /<Code>BadRequest</],
      ['PATCH /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 405 .*<Code>MethodNotAllowed</s],
    ];
    for (const [text, expected] of refused) {
      const answer = await at.raw(text);
      assert.match(answer, expected, text.slice(0, 80));
      assertIds(answer);
    }
  });

  test('whose headers do not come in time are refused', async () => {
    await using at = await openStage({ limits: { headersTimeoutMs: 200 } });
    const answer = await at.raw('GET / HTTP/1.1\r\nHost: a\r\n');
    assert.match(answer, /<Code>RequestTimeout</);
    assertIds(answer);
  });

  test('have ids also where nobody signed, where nothing is implemented, and without a body for HEAD', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    const cases: readonly (readonly [string, string, number, string | null])[] = [
      ['GET', '/', 403, 'AccessDenied'],
      ['GET', '/box', 403, 'AccessDenied'],
      ['PUT', '/box/k', 403, 'AccessDenied'],
      ['GET', '/none/k', 404, 'NoSuchBucket'],
      ['PUT', '/box/k?torrent', 501, 'NotImplemented'],
      ['HEAD', '/box/k', 403, null],
      ['HEAD', '/none', 404, null],
    ];
    for (const [method, target, status, code] of cases) {
      const answer = await at.ask(method, target, { as: null });
      assert.equal(answer.status, status, `${method} ${target}`);
      assert.match(answer.headers['x-amz-request-id'] as string, /^[0-9A-F]{16}$/);
      assert.ok(answer.headers['x-amz-id-2'] !== undefined && answer.headers.date !== undefined);
      if (code === null) assert.equal(answer.text, '');
      else
        assert.match(
          answer.text,
          new RegExp(
            `^<\\?xml .*\n<Error><Code>${code}</Code>.*<Resource>.*<RequestId>${answer.headers['x-amz-request-id'] as string}<`,
          ),
        );
    }
    assert.equal(await leftBehind(at), 0);
  });

  test('of wrong signatures and unknown keys are refused', async () => {
    await using at = await openStage();
    const unknown = await at.ask('GET', '/', { as: { ...at.owner, accessKey: 'HFAAAAAAAAAAAAAAAAAA' } });
    assert.match(unknown.text, /<Code>InvalidAccessKeyId</);
    const wrong = await at.ask('GET', '/', { as: { ...at.owner, secret: 'wrong' } });
    assert.match(wrong.text, /<Code>SignatureDoesNotMatch<.*<StringToSign>/s);
    assert.deepEqual(at.keyUses, []);
    assert.equal((await at.ask('GET', '/')).status, 200);
    assert.deepEqual(at.keyUses, [at.owner.accessKey]);
  });
});

describe('bodies', () => {
  test('without a length are refused', async () => {
    await using at = await openStage({ limits: { drainTimeoutMs: 100 } });
    await at.ask('PUT', '/box');
    const none = await at.raw(head(at, 'PUT', '/box/k', { connection: 'close' }));
    assert.match(none, /^HTTP\/1\.1 411 .*<Code>MissingContentLength</s);
    const chunked = head(at, 'PUT', '/box/k', { 'transfer-encoding': 'chunked', connection: 'close' });
    assert.match(await at.raw(`${chunked}5\r\nhello\r\n0\r\n\r\n`), /^HTTP\/1\.1 411 /);
    const large = await at.raw(head(at, 'PUT', '/box/k', { 'content-length': String(5 * 1024 ** 3 + 1) }));
    assert.match(large, /^HTTP\/1\.1 400 .*<Code>EntityTooLarge</s);
    assert.equal(await leftBehind(at), 0);
  });

  for (const sizeBytes of [1_000, 600_000]) {
    test(`of ${sizeBytes} bytes that stall are cut, and leave nothing`, async () => {
      await using at = await openStage({ limits: { bodyTimeoutMs: 150 } });
      await at.ask('PUT', '/box');
      const started = performance.now();
      const answer = await at.raw(`${head(at, 'PUT', '/box/k', { 'content-length': String(sizeBytes) })}hello`);
      assert.match(answer, /^HTTP\/1\.1 400 .*Connection: close.*<Code>RequestTimeout</is);
      assert.ok(performance.now() - started < 15_000, 'long before the usual limit');
      await until('nothing is left', async () => (await leftBehind(at)) === 0);
    });

    test(`of ${sizeBytes} bytes that end early are refused, and leave nothing`, async () => {
      await using at = await openStage();
      await at.ask('PUT', '/box');
      const talking = talk(at);
      talking.socket.end(
        `${head(at, 'PUT', '/box/k', { 'content-length': String(sizeBytes) })}${'x'.repeat(sizeBytes - 1)}`,
      );
      await talking.closed;
      assert.match(talking.received, /^HTTP\/1\.1 400 .*<Code>IncompleteBody</s);
      await until('nothing is left', async () => (await leftBehind(at)) === 0);
    });

    test(`of ${sizeBytes} bytes whose client goes away leave nothing`, async () => {
      await using at = await openStage();
      await at.ask('PUT', '/box');
      const uses = at.keyUses.length;
      const socket = at.connect();
      socket.on('error', () => {});
      socket.write(`${head(at, 'PUT', '/box/k', { 'content-length': String(sizeBytes) })}${'x'.repeat(sizeBytes - 1)}`);
      // A reset takes back what the server has not read yet: it would never hear of the request.
      await until('it is under way', () => at.keyUses.length > uses);
      await delay(50);
      socket.resetAndDestroy();
      await until('it is noticed', () => at.requests.some(({ command }) => command === 'PutObject'));
      await until('nothing is left', async () => (await leftBehind(at)) === 0);
    });
  }

  test('failure 25: that are slow but alive are not cut by any timeout', async () => {
    await using at = await openStage({ limits: { bodyTimeoutMs: 2_000, headersTimeoutMs: 1_500 } });
    await at.ask('PUT', '/box');
    const talking = talk(at);
    const { socket } = talking;
    socket.write(head(at, 'PUT', '/box/k', { 'content-length': String(12 * 25_000), connection: 'close' }));
    for (let piece = 0; piece < 12; piece++) {
      socket.write(Buffer.alloc(25_000, piece));
      await delay(200);
    }
    await talking.closed;
    assert.match(talking.received, /^HTTP\/1\.1 200 /);
    assert.equal((await at.ask('GET', '/box/k')).body.length, 300_000);
  });

  test('that drip are cut although something comes all the time', async () => {
    await using at = await openStage({ limits: { bodyTimeoutMs: 300 } });
    await at.ask('PUT', '/box');
    const talking = talk(at);
    const { socket } = talking;
    socket.write(head(at, 'PUT', '/box/k', { 'content-length': '10000' }));
    const drip = setInterval(() => socket.write('x'), 20);
    await talking.closed;
    clearInterval(drip);
    assert.match(talking.received, /<Code>RequestTimeout</);
  });

  test('of refused requests are read when they are small, so that the connection goes on', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    const refused = `PUT /box/k HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n${'x'.repeat(500_000)}`;
    const answers = await at.raw(
      refused + head(at, 'HEAD', '/box', {}),
      (received) => received.split('HTTP/1.1 ').length === 3,
    );
    assert.match(answers, /^HTTP\/1\.1 403 .*HTTP\/1\.1 200 /s);
  });

  test('of refused requests that are large do not hide the answer', async () => {
    await using at = await openStage({ limits: { drainBytesMax: 100_000 } });
    const text = `PUT /none/k HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n${'x'.repeat(1_000_000)}`;
    const answer = await at.raw(text);
    assert.match(answer, /^HTTP\/1\.1 404 .*Connection: close.*<Code>NoSuchBucket<.*<\/Error>$/is);
  });

  test('whose digests are malformed or wrong are refused', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    const cases: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
      [{ 'content-md5': 'nonsense' }, 'InvalidDigest'],
      [{ 'content-md5': '1B2M2Y8AsgTpgAmY7PhCfg==' }, 'BadDigest'],
      [{ 'x-amz-checksum-crc32': 'nonsense' }, 'InvalidRequest'],
      [{ 'x-amz-checksum-crc32': 'AAAAAA==' }, 'BadDigest'],
      [{ 'x-amz-checksum-crc32': 'NhCmhg==', 'x-amz-checksum-crc32c': 'mnG7TA==' }, 'InvalidRequest'],
      [{ 'x-amz-sdk-checksum-algorithm': 'CRC99' }, 'InvalidRequest'],
    ];
    for (const [headers, code] of cases) {
      const answer = await at.ask('PUT', '/box/k', { body: 'hello', headers });
      assert.match(answer.text, new RegExp(`<Code>${code}<`), JSON.stringify(headers));
    }
    const other = await at.ask('PUT', '/box/k', { body: 'hello', payloadHash: '0'.repeat(64) });
    assert.match(other.text, /<Code>XAmzContentSHA256Mismatch</);
    assert.equal(await leftBehind(at), 0);
    const right = await at.ask('PUT', '/box/k', { body: 'hello', headers: { 'x-amz-checksum-crc32': 'NhCmhg==' } });
    assert.deepEqual([right.status, right.headers['x-amz-checksum-crc32']], [200, 'NhCmhg==']);
  });
});

describe('Expect: 100-continue', () => {
  const expecting = { expect: '100-continue', 'content-length': '600000' };
  const isAnswered = (received: string) => /\r\n\r\n/.test(received);

  test('is answered when the body is wanted', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    for (const length of ['1000', '600000']) {
      const talking = talk(at);
      const { socket } = talking;
      socket.write(
        head(at, 'PUT', '/box/k', { expect: '100-continue', 'content-length': length, connection: 'close' }),
      );
      await until('it may go on', () => talking.received.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
      socket.write(Buffer.alloc(Number(length)));
      await talking.closed;
      assert.match(talking.received, /HTTP\/1\.1 200 /);
    }
  });

  test('is not answered to whom the body is refused', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/box/there', { body: 'x' });
    const refused: readonly (readonly [string, RegExp])[] = [
      [head(at, 'PUT', '/box/k', expecting).replace(/Signature=./, 'Signature='), /^HTTP\/1\.1 400 /],
      [`PUT /box/k HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 600000\r\n\r\n`, /^HTTP\/1\.1 403 /],
      [head(at, 'PUT', '/none/k', expecting), /^HTTP\/1\.1 404 /],
      [head(at, 'PUT', '/box/k?acl&torrent', expecting), /^HTTP\/1\.1 501 /],
      [head(at, 'PUT', '/box/k', { ...expecting, 'x-amz-meta-a': 'x'.repeat(3_000) }), /MetadataTooLarge/],
      [head(at, 'PUT', '/box/k', { ...expecting, 'x-amz-server-side-encryption': 'AES256' }), /^HTTP\/1\.1 501 /],
      [head(at, 'PUT', '/box/there', { ...expecting, 'if-none-match': '*' }), /^HTTP\/1\.1 412 /],
      [head(at, 'PUT', '/box/k', { ...expecting, 'content-length': String(6 * 1024 ** 3) }), /EntityTooLarge/],
    ];
    for (const [text, expected] of refused) {
      const answer = await at.raw(
        text,
        (received) => isAnswered(received) && /close/i.test(received) && received.endsWith('</Error>'),
      );
      assert.match(answer, expected, text.slice(0, 60));
      assert.doesNotMatch(answer, /100 Continue/);
      assert.match(answer, /Connection: close/i);
    }
  });
});

describe('answers', () => {
  test('that break in the middle break the connection, and never end cleanly', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/box/k', { body: Buffer.alloc(2_000_000, 7) });
    for (const effect of ['break', 'truncate'] as const) {
      at.backend.faults.push({ verb: 'get', times: Number.POSITIVE_INFINITY, effect, afterBytes: 1_000_000 });
      await assert.rejects(at.ask('GET', '/box/k'), { code: 'ECONNRESET' }, effect);
      at.backend.faults.length = 0;
    }
    assert.equal((await at.ask('GET', '/box/k')).body.length, 2_000_000);
  });

  test('to a client that takes nothing are cut', async () => {
    await using at = await openStage({ limits: { sendTimeoutMs: 200 } });
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/box/k', { body: Buffer.alloc(30_000_000) });
    const socket = at.connect();
    socket.on('error', () => {});
    socket.write(head(at, 'GET', '/box/k', {}));
    await until('it is cut', () => at.requests.some(({ command }) => command === 'GetObject'));
    socket.destroy();
  });

  test('to a slow client come whole', async () => {
    await using at = await openStage({ limits: { sendTimeoutMs: 2_000 } });
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/box/k', { body: Buffer.alloc(12_000_000, 1) });
    const socket = at.connect();
    const closed = once(socket, 'close');
    let length = 0;
    socket.on('data', (chunk) => {
      length += chunk.length;
      socket.pause();
      setTimeout(() => socket.resume(), 12);
    });
    socket.write(head(at, 'GET', '/box/k', { connection: 'close' }));
    await closed;
    assert.ok(length > 12_000_000, `${length} bytes came`);
  });

  test('are 503 with Retry-After when there are too many at once, and the connection goes on', async () => {
    await using at = await openStage({ limits: { requestsMax: 0 } });
    const answer = await at.ask('GET', '/');
    assert.equal(answer.status, 503);
    assert.match(answer.text, /<Code>SlowDown</);
    assert.equal(answer.headers['retry-after'], '1');
  });

  test('of what the store or a backend says tell nothing of it', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/box/k', { body: 'x' });
    at.backend.faults.push({ verb: 'get', times: Number.POSITIVE_INFINITY, effect: 'unreachable' });
    const answer = await at.ask('GET', '/box/k');
    assert.equal(answer.status, 503);
    assert.equal(answer.headers['retry-after'], '1');
    assert.doesNotMatch(answer.text, /memory/);
  });

  test('under way end before the server closes', async () => {
    const at = await openStage();
    await at.ask('PUT', '/box');
    at.backend.faults.push({ verb: 'put', times: 1, effect: 'slow', delayMs: 300 });
    const put = at.ask('PUT', '/box/k', { body: 'x' });
    await until('it is under way', () => at.backend.calls.some(({ verb }) => verb === 'put'));
    await at[Symbol.asyncDispose]();
    assert.equal((await put).status, 200);
  });
});
