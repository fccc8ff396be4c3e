import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { until } from '../../../../test/support/wait.ts';
import { bytesOf, chunked } from '../conformance/sources.ts';
import { type Peer, type PeerHandler, MIB, answer, bodyOf, deadline, errorXml, isError, startPeer } from './testkit.ts';

const partBytes = 5 * MIB;
const bytes = bytesOf(2 * partBytes + 7);
const config = { multipart_part_bytes: String(partBytes) };
const created = '<InitiateMultipartUploadResult><UploadId>U/1</UploadId></InitiateMultipartUploadResult>';
const completed = '<CompleteMultipartUploadResult><ETag>"x-3"</ETag></CompleteMultipartUploadResult>';
const initiate = 'POST /bucket/key?uploads=';
const upload = '/bucket/key?uploadId=U%2F1';
const parts = [1, 2, 3].map((number) => `PUT /bucket/key?partNumber=${number}&uploadId=U%2F1`);

function put(peer: Peer): Promise<void> {
  const content = chunked(bytes, [700_001]);
  return peer.backend.put('key', content, { sizeBytes: bytes.length, signal: deadline() });
}

/** A server where all is well but for the requests that the handler answers itself, which it says by `true`. */
function allBut(others: (...args: Parameters<PeerHandler>) => boolean, completeBody = completed): PeerHandler {
  return async (request, response, line) => {
    if (others(request, response, line)) return;
    const body = await bodyOf(request, response).catch(() => null);
    if (body === null) return;
    if (line === initiate) answer(response, 200, created);
    else if (line === `POST ${upload}`) answer(response, 200, completeBody);
    else if (request.method === 'PUT') answer(response, 200, '', { etag: `"${hash('md5', body, 'hex')}"` });
    else if (request.method === 'DELETE') answer(response, 204);
    else if (line === 'HEAD /bucket/key') response.writeHead(200, { 'content-length': bytes.length }).end();
    else answer(response, 200);
  };
}

const linesOf = (peer: Peer): string[] => peer.requests.map(({ line }) => line);

async function mustAbort(peer: Peer): Promise<void> {
  await until('the upload is aborted', () => linesOf(peer).includes(`DELETE ${upload}`), 5000);
}

describe('a multipart put to an S3 server', () => {
  test('sends each part with its length, and looks at the whole at the end', async () => {
    const bodies: string[] = [];
    const noted = (request: Parameters<PeerHandler>[0], _: unknown, line: string): boolean => {
      if (line === `POST ${upload}`) request.on('data', (chunk: Buffer) => bodies.push(chunk.toString()));
      return false;
    };
    await using peer = await startPeer(allBut(noted), config);
    await put(peer);
    assert.deepEqual(linesOf(peer), [initiate, ...parts, `POST ${upload}`, 'HEAD /bucket/key']);
    const lengths = peer.requests.slice(1, 4).map(({ headers }) => headers['content-length']);
    assert.deepEqual(lengths, [String(partBytes), String(partBytes), '7']);
    const md5 = hash('md5', bytes.subarray(0, partBytes), 'hex');
    assert.ok(bodies.join('').includes(`<PartNumber>1</PartNumber><ETag>&quot;${md5}&quot;</ETag>`));
  });

  test('failure 14: with a part that was stored as other bytes is aborted', async () => {
    const other = (
      request: Parameters<PeerHandler>[0],
      response: Parameters<PeerHandler>[1],
      line: string,
    ): boolean => {
      if (line !== parts[1]) return false;
      void bodyOf(request, response).then(() => answer(response, 200, '', { etag: `"${'0'.repeat(32)}"` }));
      return true;
    };
    await using peer = await startPeer(allBut(other), config);
    await assert.rejects(put(peer), isError('backend', { reason: 'damaged', outcome: undefined }));
    await mustAbort(peer);
    assert.ok(!linesOf(peer).includes(`POST ${upload}`));
  });

  test('with a part that is refused is aborted, without another try', async () => {
    const refusing = (_: unknown, response: Parameters<PeerHandler>[1], line: string): boolean => {
      if (line === parts[1]) answer(response, 503, errorXml('SlowDown'), { 'retry-after': '3' });
      return line === parts[1];
    };
    await using peer = await startPeer(allBut(refusing), config);
    await assert.rejects(put(peer), isError('overloaded', { retry_after_ms: 3000 }));
    await mustAbort(peer);
    assert.equal(linesOf(peer).filter((line) => line === parts[1]).length, 1);
  });

  test('whose completion is an error inside a 200, after white space, fails', async () => {
    const text = `\n   \n${errorXml('SlowDown')}`;
    await using peer = await startPeer(
      allBut(() => false, text),
      config,
    );
    await assert.rejects(put(peer), isError('overloaded', { code: 'SlowDown' }));
    await mustAbort(peer);
  });

  test('whose completion may have failed is looked for, and left alone when it is unknown', async () => {
    const failing = (_: unknown, response: Parameters<PeerHandler>[1], line: string): boolean => {
      if (line === `POST ${upload}`) answer(response, 200, errorXml('InternalError'));
      if (line === 'HEAD /bucket/key') response.writeHead(404).end();
      return line === `POST ${upload}` || line === 'HEAD /bucket/key';
    };
    await using peer = await startPeer(allBut(failing), config);
    await assert.rejects(put(peer), isError('backend', { code: 'InternalError', outcome: 'unknown' }));
    assert.ok(!linesOf(peer).includes(`DELETE ${upload}`), 'it may be completing still');
  });

  test('whose answer to the completion is lost has come to pass when the blob is there', async () => {
    const losing = (_: unknown, response: Parameters<PeerHandler>[1], line: string): boolean => {
      if (line === `POST ${upload}`) response.destroy();
      return line === `POST ${upload}`;
    };
    await using peer = await startPeer(allBut(losing), config);
    await put(peer);
    assert.equal(linesOf(peer).at(-1), 'HEAD /bucket/key');
  });

  test('failure 14: that was completed with a part missing is taken away again', async () => {
    const short = (_: unknown, response: Parameters<PeerHandler>[1], line: string): boolean => {
      if (line === 'HEAD /bucket/key') response.writeHead(200, { 'content-length': partBytes }).end();
      return line === 'HEAD /bucket/key';
    };
    await using peer = await startPeer(allBut(short), config);
    await assert.rejects(put(peer), isError('backend', { reason: 'damaged' }));
    assert.equal(linesOf(peer).at(-1), 'DELETE /bucket/key');
  });

  test('failure 14: whose source breaks in the second part is aborted, and throws what the source threw', async () => {
    await using peer = await startPeer(
      allBut(() => false),
      config,
    );
    const broken = new Error('the client is gone');
    async function* breaking(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, partBytes + 1000);
      throw broken;
    }
    const putting = peer.backend.put('key', breaking(), { sizeBytes: bytes.length, signal: deadline() });
    await assert.rejects(putting, (error) => error === broken);
    await mustAbort(peer);
  });
});

describe('a copy inside an S3 server', () => {
  test('that is an error inside a 200 is no copy', async () => {
    const failing = (request: Parameters<PeerHandler>[0], response: Parameters<PeerHandler>[1]): boolean => {
      if (request.method === 'PUT') answer(response, 200, `  \n${errorXml('AccessDenied')}`);
      return request.method === 'PUT';
    };
    await using peer = await startPeer(allBut(failing), config);
    await assert.rejects(peer.backend.copy('key', 'to', deadline()), isError('backend', { reason: 'forbidden' }));
  });

  test('whose answer is garbage is not believed', async () => {
    const failing = (
      request: Parameters<PeerHandler>[0],
      response: Parameters<PeerHandler>[1],
      line: string,
    ): boolean => {
      if (request.method === 'PUT') answer(response, 200, '<html>');
      if (line === 'HEAD /bucket/to') response.writeHead(404).end();
      return request.method === 'PUT' || line === 'HEAD /bucket/to';
    };
    await using peer = await startPeer(allBut(failing), config);
    await assert.rejects(peer.backend.copy('key', 'to', deadline()), isError('backend', { outcome: 'unknown' }));
  });

  test('whose source goes away meanwhile is an absence', async () => {
    const gone = (request: Parameters<PeerHandler>[0], response: Parameters<PeerHandler>[1]): boolean => {
      if (request.method === 'PUT') answer(response, 404, errorXml('NoSuchKey'));
      return request.method === 'PUT';
    };
    await using peer = await startPeer(allBut(gone), config);
    assert.equal(await peer.backend.copy('key', 'to', deadline()), 'absent');
  });
});
