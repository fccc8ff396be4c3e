import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../../test/support/free-port.ts';
import { chunksOf } from '../../content/content.ts';
import { isBackendFault } from '../backend.ts';
import { MIB, type PeerHandler, answer, backendOf, deadline, errorXml, hasty, isError, startPeer } from './testkit.ts';

const noBucket = errorXml('NoSuchBucket');

async function readAll(content: AsyncIterable<Buffer> | Buffer): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunksOf(content)) bytes += chunk.length;
  return bytes;
}

describe('reads from an S3 server that', () => {
  test('failure 14: breaks off a body: an error, never a clean end', async () => {
    await using peer = await startPeer((_, response) => {
      response.writeHead(200, { 'content-length': String(2 * MIB) });
      response.write(Buffer.alloc(MIB), () => response.destroy());
    });
    const opened = await peer.backend.get('key', null, deadline());
    assert.equal(opened?.sizeBytes, 2 * MIB);
    await assert.rejects(readAll(opened.content), isError('backend'));
  });

  test('failure 14: breaks off a small body: the get itself fails, so that another copy can be read', async () => {
    await using peer = await startPeer((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write(Buffer.alloc(999), () => response.destroy());
    });
    await assert.rejects(peer.backend.get('key', null, deadline()), isError('backend'));
  });

  for (const [what, range] of [
    ['another range', 'bytes 0-9/100'],
    ['a longer range', 'bytes 10-29/100'],
    ['no range that can be read', 'bytes 10-19'],
  ] as const) {
    test(`failure 14: answers with ${what} is not believed`, async () => {
      await using peer = await startPeer((_, response) =>
        answer(response, 206, 'x'.repeat(10), { 'content-range': range }),
      );
      await assert.rejects(peer.backend.get('key', { offset: 10, length: 10 }, deadline()), isError('backend'));
    });
  }

  test('does not know ranges: the part is cut from the whole', async () => {
    await using peer = await startPeer((_, response) => answer(response, 200, '0123456789'));
    const opened = await peer.backend.get('key', { offset: 3, length: 4 }, deadline());
    assert.deepEqual([opened?.sizeBytes, opened?.content], [10, Buffer.from('3456')]);
    assert.equal(peer.requests[0]?.headers['range'], 'bytes=3-6');
  });

  test('has a blob that is shorter than the range', async () => {
    await using peer = await startPeer((_, response) => answer(response, 416, errorXml('InvalidRange')));
    await assert.rejects(peer.backend.get('key', { offset: 10, length: 1 }, deadline()), isError('backend'));
  });

  test('tells no length', async () => {
    await using peer = await startPeer((_, response) => void response.writeHead(200).end('abc'));
    await assert.rejects(peer.backend.get('key', null, deadline()), isError('backend'));
  });

  test('failure 25: hangs before the answer, and in the middle of a body', async () => {
    const isLate = isError('unavailable', { idle_timeout_ms: 300 });
    await using silent = await startPeer(() => {}, hasty);
    await assert.rejects(silent.backend.get('key', null, deadline()), isLate);
    const half: PeerHandler = (_, response) =>
      void response.writeHead(200, { 'content-length': String(MIB) }).write(Buffer.alloc(1000));
    await using stuck = await startPeer(half, { idle_timeout_ms: '2000' });
    const opened = await stuck.backend.get('key', null, deadline());
    assert.ok(opened !== null);
    await assert.rejects(readAll(opened.content), isError('unavailable', { idle_timeout_ms: 2_000 }));
  });

  test('failure 25: is slow: deadlines are of progress, so a long stream is not cut', async () => {
    const slow: PeerHandler = async (_, response) => {
      response.writeHead(200, { 'content-length': String(10 * 32_768) });
      for (let chunk = 0; chunk < 10; chunk++) {
        response.write(Buffer.alloc(32_768));
        await delay(250);
      }
      response.end();
    };
    await using peer = await startPeer(slow, { idle_timeout_ms: '2000' });
    const opened = await peer.backend.get('key', null, deadline());
    assert.equal(await readAll(opened!.content), 10 * 32_768);
  });

  test('waits for a slow reader, which is nobody’s fault', async () => {
    const large: PeerHandler = (_, response) => answer(response, 200, 'x'.repeat(8 * MIB));
    await using peer = await startPeer(large, { idle_timeout_ms: '1500' });
    const opened = await peer.backend.get('key', null, deadline());
    let bytes = 0;
    for await (const chunk of chunksOf(opened!.content)) {
      if (bytes === 0) await delay(2_000);
      bytes += chunk.length;
    }
    assert.equal(bytes, 8 * MIB);
  });

  test('failure 20: has no such key: a value, and not asked twice', async () => {
    await using peer = await startPeer((_, response) => answer(response, 404, errorXml('NoSuchKey')));
    assert.equal(await peer.backend.get('key', null, deadline()), null);
    assert.equal(peer.requests.length, 1);
  });

  test('has no such bucket: not every blob is absent then', async () => {
    await using peer = await startPeer((_, response) => answer(response, 404, noBucket));
    const noSuchBucket = isError('backend', { reason: 'no_bucket' }, /bucket bucket/);
    await assert.rejects(peer.backend.get('key', null, deadline()), noSuchBucket);
    await assert.rejects(peer.backend.head('key', deadline()), noSuchBucket);
    await assert.rejects(peer.backend.delete('key', deadline()), noSuchBucket);
    await assert.rejects(peer.backend.copy('key', 'to', deadline()), noSuchBucket);
    await assert.rejects(peer.backend.list({ prefix: '', limit: 1 }, deadline()), noSuchBucket);
    await assert.rejects(peer.backend.health(deadline()), noSuchBucket);
  });

  test('is no S3 server: its 404 is no absence', async () => {
    await using peer = await startPeer((_, response) => answer(response, 404, '<html>Not found</html>'));
    await assert.rejects(peer.backend.get('key', null, deadline()), isError('backend'));
    await assert.rejects(peer.backend.head('key', deadline()), isError('backend'));
  });

  test('closes kept connections: a request is sent again, once', async () => {
    await using peer = await startPeer((request, response) => {
      if (request.url === '/bucket') return answer(response, 200);
      answer(response, 404, request.method === 'GET' ? errorXml('NoSuchKey') : '');
    });
    for (let turn = 0; turn < 20; turn++) {
      assert.equal(await peer.backend.get('key', null, deadline()), null);
      assert.equal(await peer.backend.head('key', deadline()), null);
    }
    assert.equal(peer.connections(), 1, 'refusals do not cost their connection');
    peer.hangUp();
    assert.equal(await peer.backend.get('key', null, deadline()), null);
    assert.equal(peer.connections(), 2);
  });
});

describe('an S3 server that cannot be reached', () => {
  test('refuses connections', async () => {
    const port = await freePort();
    const backend = backendOf({ endpoint: `http://127.0.0.1:${port}`, bucket: 'bucket' });
    const refused = isError('unavailable', { code: 'ECONNREFUSED' }, new RegExp(String(port)));
    await assert.rejects(backend.head('key', deadline()), refused);
    await assert.rejects(backend.health(deadline()), refused);
    await backend.close();
  });

  test('does not speak HTTP', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined).end('220 smtp.example ESMTP\r\n'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const backend = backendOf({ endpoint: `http://127.0.0.1:${port}`, bucket: 'bucket' });
    await assert.rejects(backend.head('key', deadline()), isError('backend'));
    await backend.close();
    server.close();
  });
});

interface RefusalCase {
  readonly what: string;
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isFault: boolean;
  readonly expected: (error: unknown) => true;
}

const refusals: readonly RefusalCase[] = [
  {
    what: '503 SlowDown with Retry-After',
    status: 503,
    body: errorXml('SlowDown'),
    headers: { 'retry-after': '7' },
    isFault: false,
    expected: isError('overloaded', { retry_after_ms: 7000, code: 'SlowDown' }),
  },
  { what: '503 without a body', status: 503, isFault: false, expected: isError('overloaded') },
  { what: '429', status: 429, isFault: false, expected: isError('overloaded') },
  {
    what: '503 of a proxy whose server is dead',
    status: 503,
    body: '<html>no server is available</html>',
    isFault: true,
    expected: isError('backend', { status: 503 }),
  },
  {
    what: '500 InternalError',
    status: 500,
    body: errorXml('InternalError'),
    isFault: true,
    expected: isError('backend', { code: 'InternalError' }),
  },
  { what: '502', status: 502, body: 'bad gateway', isFault: true, expected: isError('backend', { status: 502 }) },
  {
    what: '403 InvalidAccessKeyId',
    status: 403,
    body: errorXml('InvalidAccessKeyId', `<AWSAccessKeyId>KEY</AWSAccessKeyId>`),
    isFault: true,
    expected: isError('backend', { reason: 'credentials' }, /refuses the access key/),
  },
  {
    what: '403 AccessDenied',
    status: 403,
    body: errorXml('AccessDenied'),
    isFault: true,
    expected: isError('backend', { reason: 'forbidden' }, /GET in the bucket bucket/),
  },
  {
    what: '403 RequestTimeTooSkewed',
    status: 403,
    body: errorXml('RequestTimeTooSkewed'),
    headers: { date: 'Sat, 01 Jan 2000 00:00:00 GMT' },
    isFault: true,
    expected: isError('backend', { reason: 'clock_skew' }, /clock that is \d+ seconds behind ours/),
  },
  {
    what: '403 QuotaExceeded',
    status: 403,
    body: errorXml('QuotaExceeded'),
    isFault: true,
    expected: isError('backend', { reason: 'full' }, /no room/),
  },
  { what: '507', status: 507, isFault: true, expected: isError('backend', { reason: 'full' }) },
  {
    what: '301 PermanentRedirect with a region in a header',
    status: 301,
    body: errorXml('PermanentRedirect', '<Endpoint>elsewhere.example</Endpoint>'),
    headers: { 'x-amz-bucket-region': 'eu-west-1', location: 'http://elsewhere.example/' },
    isFault: true,
    expected: isError('backend', { reason: 'redirect', region: 'eu-west-1' }, /region eu-west-1/),
  },
  {
    what: '307 without a region',
    status: 307,
    headers: { location: 'http://elsewhere.example/' },
    isFault: true,
    expected: isError('backend', { reason: 'redirect' }),
  },
  {
    what: '400 AuthorizationHeaderMalformed with a region in the body',
    status: 400,
    body: errorXml('AuthorizationHeaderMalformed', '<Region>ap-south-1</Region>'),
    isFault: true,
    expected: isError('backend', { reason: 'redirect', region: 'ap-south-1' }),
  },
  { what: '501', status: 501, body: errorXml('NotImplemented'), isFault: false, expected: isError('unsupported') },
  {
    what: 'a refusal that never ends',
    status: 500,
    body: `<Error><Code>InternalError</Code>${' '.repeat(200_000)}</Error>`,
    isFault: true,
    expected: isError('backend', { status: 500 }),
  },
  {
    what: 'a code with markup in it',
    status: 500,
    body: errorXml('&lt;script&gt;alert(1)&lt;/script&gt;'),
    isFault: true,
    expected: isError('backend', { status: 500 }, /^[^<]+$/),
  },
];

describe('refusals of an S3 server are told as what they are', () => {
  for (const { what, status, body, headers, isFault, expected } of refusals) {
    test(`failure 20: ${what} is ${isFault ? 'a fault of the backend' : 'no fault of the backend'}`, async () => {
      await using peer = await startPeer((_, response) => answer(response, status, body, headers));
      const failed = await peer.backend.get('key', null, deadline()).then(
        () => assert.fail('it is refused'),
        (error: unknown) => error,
      );
      expected(failed);
      assert.equal(isBackendFault(failed), isFault);
      assert.equal(peer.requests.length, 1, 'nothing is tried again, nor followed');
    });
  }
});
