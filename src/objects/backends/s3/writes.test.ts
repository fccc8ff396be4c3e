import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { bytesOf, chunked, freshChunks } from '../conformance/sources.ts';
import {
  type Peer,
  type PeerHandler,
  MIB,
  answer,
  bodyOf,
  deadline,
  errorXml,
  hasty,
  isError,
  startPeer,
} from './testkit.ts';

const small = bytesOf(1000);
const large = bytesOf(MIB);
const md5Of = (bytes: Buffer): string => `"${hash('md5', bytes, 'hex')}"`;

function put(peer: Peer, content: Buffer, signal = deadline()): Promise<void> {
  const isSmall = content.length <= small.length;
  const { length: sizeBytes } = content;
  return peer.backend.put('key', isSmall ? content : chunked(content, [65_536]), { sizeBytes, signal });
}

const linesOf = (peer: Peer): string[] => peer.requests.map(({ line }) => line);

/** Answers PUT by reading all of it, with an ETag; and HEAD and DELETE as told. */
function storing(etagOf: (body: Buffer) => string, others: PeerHandler = noAnswer): PeerHandler {
  return async (request, response, line) => {
    if (request.method !== 'PUT') return others(request, response, line);
    answer(response, 200, '', { etag: etagOf(await bodyOf(request, response)) });
  };
}

const noAnswer: PeerHandler = (_, response) => answer(response, 500);

describe('a put to an S3 server', () => {
  test('failure 25: always sends its length; a buffer with its hash, a stream without', async () => {
    await using peer = await startPeer(storing(md5Of));
    await put(peer, small);
    await put(peer, large);
    await put(peer, Buffer.alloc(0));
    const told = peer.requests.map(({ headers }) => [headers['content-length'], headers['x-amz-content-sha256']]);
    assert.deepEqual(told, [
      ['1000', hash('sha256', small, 'hex')],
      [String(MIB), 'UNSIGNED-PAYLOAD'],
      ['0', hash('sha256', '', 'hex')],
    ]);
    for (const { headers } of peer.requests) assert.equal(headers['transfer-encoding'], undefined);
  });

  test('failure 14: that stored other bytes is taken away again', async () => {
    const handler = storing(
      () => md5Of(Buffer.from('others')),
      (_, response) => answer(response, 204),
    );
    await using peer = await startPeer(handler);
    await assert.rejects(put(peer, large), isError('backend', { reason: 'damaged', outcome: undefined }));
    assert.deepEqual(linesOf(peer), ['PUT /bucket/key', 'DELETE /bucket/key']);
  });

  test('failure 14: that stored other bytes, which cannot be taken away, says that it may be there', async () => {
    await using peer = await startPeer(storing(() => md5Of(Buffer.from('others'))));
    await assert.rejects(put(peer, large), isError('backend', { reason: 'damaged', outcome: 'unknown' }));
  });

  for (const [what, etag, headers] of [
    ['of another form', '"0123456789abcdef0123456789abcdef-3"', {}],
    ['that is encrypted', '"0123456789abcdef0123456789abcdef"', { 'x-amz-server-side-encryption': 'aws:kms' }],
  ] as const) {
    test(`failure 14: whose ETag is one ${what} is measured instead`, async () => {
      let storedBytes = MIB;
      await using peer = await startPeer(async (request, response) => {
        if (request.method === 'HEAD') response.writeHead(200, { 'content-length': storedBytes }).end();
        else {
          await bodyOf(request, response);
          answer(response, request.method === 'DELETE' ? 204 : 200, '', { etag, ...headers });
        }
      });
      await put(peer, large);
      storedBytes = MIB - 1;
      await assert.rejects(put(peer, large), isError('backend', { reason: 'damaged' }));
      assert.deepEqual(linesOf(peer).at(-1), 'DELETE /bucket/key');
    });
  }

  test('failure 14: that is answered before it was read is not believed', async () => {
    const early: PeerHandler = (request, response) => {
      response.writeContinue();
      request.once('data', () => {
        answer(response, 200, '', { etag: md5Of(large) });
        request.pause();
      });
    };
    await using peer = await startPeer(early, hasty);
    const source = freshChunks(32 * MIB, 65_536, () => undefined);
    const putting = peer.backend.put('key', source, { sizeBytes: 32 * MIB, signal: deadline() });
    await assert.rejects(putting, isError('unavailable', { outcome: 'unknown' }));
  });

  test('failure 20: that is refused at once does not touch the source', async () => {
    await using peer = await startPeer((_, response) => answer(response, 503, errorXml('SlowDown')));
    const record = { pulledBytes: 0, isReleased: false };
    const source = freshChunks(MIB, 65_536, () => undefined, record);
    await assert.rejects(
      peer.backend.put('key', source, { sizeBytes: MIB, signal: deadline() }),
      isError('overloaded', { outcome: undefined }),
    );
    assert.equal(record.pulledBytes, 0);
    assert.equal(peer.requests.length, 1);
  });

  test('of a buffer whose answer is lost is looked for, and not sent again when it is there', async () => {
    await using peer = await startPeer((request, response) => {
      if (request.method === 'PUT') request.resume().on('end', () => response.destroy());
      else response.writeHead(200, { 'content-length': '1000' }).end();
    });
    await put(peer, small);
    assert.deepEqual(linesOf(peer), ['PUT /bucket/key', 'HEAD /bucket/key']);
  });

  test('of a buffer whose connection breaks is sent once more when it is not there', async () => {
    let puts = 0;
    await using peer = await startPeer(async (request, response, line) => {
      if (line === 'HEAD /bucket/key') answer(response, 404);
      else if (line === 'HEAD /bucket') answer(response, 200);
      else if (puts++ === 0) response.destroy();
      else answer(response, 200, '', { etag: md5Of(await bodyOf(request, response)) });
    });
    await put(peer, small);
    assert.deepEqual(linesOf(peer), ['PUT /bucket/key', 'HEAD /bucket/key', 'HEAD /bucket', 'PUT /bucket/key']);
  });

  test('of a stream whose connection breaks fails, and is sent once', async () => {
    await using peer = await startPeer((request, response) => {
      response.writeContinue();
      request.once('data', () => response.destroy());
    });
    const record = { pulledBytes: 0, isReleased: false };
    const source = freshChunks(32 * MIB, 65_536, () => undefined, record);
    const putting = peer.backend.put('key', source, { sizeBytes: 32 * MIB, signal: deadline() });
    await assert.rejects(putting, isError('unavailable', { outcome: 'unknown' }));
    assert.ok(record.isReleased && record.pulledBytes < 32 * MIB);
    assert.equal(peer.requests.length, 1);
  });

  test('failure 25: whose reader or whose answer hangs ends after the idle time, with an unknown outcome', async () => {
    const hanging: PeerHandler = async (request, response) => {
      if (request.headers['content-length'] === '1000') await bodyOf(request, response);
      else response.writeContinue();
    };
    await using peer = await startPeer(hanging, hasty);
    const isLate = isError('unavailable', { outcome: 'unknown', idle_timeout_ms: 300 });
    await assert.rejects(put(peer, small), isLate);
    const source = freshChunks(32 * MIB, 65_536, () => undefined);
    await assert.rejects(peer.backend.put('key', source, { sizeBytes: 32 * MIB, signal: deadline() }), isLate);
  });

  test('is refused when the key does not fit behind the prefix, or the blob into S3', async () => {
    await using peer = await startPeer(noAnswer, { prefix: 'p'.repeat(500) });
    const options = { sizeBytes: 1, signal: deadline() };
    await assert.rejects(peer.backend.put('k'.repeat(525), small, options), isError('invalid', { field: 'key' }));
    await assert.rejects(peer.backend.put('', small, options), isError('invalid', { field: 'key' }));
    const tooLarge = { sizeBytes: 6 * 1024 ** 4, signal: deadline() };
    await assert.rejects(peer.backend.put('key', chunked(small, [1]), tooLarge), isError('invalid'));
    assert.equal(peer.requests.length, 0);
  });
});

describe('a delete on an S3 server', () => {
  test('removes every version of a key where versions are kept', async () => {
    const versions = ['v2', 'v1'];
    await using peer = await startPeer((request, response, line) => {
      if (line === 'HEAD /bucket') return answer(response, 200);
      if (request.method === 'DELETE') return void (versions.shift(), answer(response, 204));
      if (versions[0] === undefined) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-length': '5', 'x-amz-version-id': versions[0] }).end();
    });
    assert.equal(await peer.backend.delete('key', deadline()), 'deleted');
    const deletes = linesOf(peer).filter((line) => line.startsWith('DELETE'));
    assert.deepEqual(deletes, ['DELETE /bucket/key?versionId=v2', 'DELETE /bucket/key?versionId=v1']);
  });
});
