import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Content } from '../../content/content.ts';
import { until } from '../../../../test/support/wait.ts';
import { type Answers, type Peer, end, isError, peer, soon } from './testkit.ts';

const chunkBytes = 65_536;
const manyChunks = 1024;

async function* endless(record = { pulled: 0 }): AsyncGenerator<Buffer> {
  for (; record.pulled < manyChunks; record.pulled++) yield Buffer.alloc(chunkBytes);
}

function put({ backend }: Peer, content: Content = Buffer.from('bytes'), sizeBytes = 5): Promise<void> {
  return backend.put('key', content, { sizeBytes, signal: soon() });
}

const holding =
  (bytes: number): Answers['x'] =>
  (_, response) =>
    end(response, 200, { 'content-length': String(bytes), 'last-modified': 'Sat, 21 Nov 2026 07:00:00 GMT' });

describe('webdav: writes to servers that fail', () => {
  it('failure 14: does not believe a rename whose result has another length, and says that it does not know', async () => {
    await using server = await peer({ HEAD: holding(4)! });
    await assert.rejects(put(server), isError('backend', { outcome: 'unknown' }, /4 of 5/));
  });

  it('failure 14: does not believe a rename of which nothing is seen', async () => {
    await using server = await peer({});
    await assert.rejects(put(server), isError('backend', { outcome: 'unknown' }, /cannot be found/));
  });

  it('failure 1: finds out that a rename was done whose answer was lost', async () => {
    let isThere = false;
    const MOVE: Answers['x'] = (request) => {
      isThere = true;
      request.socket.destroy();
    };
    await using server = await peer({
      MOVE,
      HEAD: (request, response) => (isThere ? holding(5) : lost)!(request, response),
    });
    await put(server);
    assert.ok(isThere);
  });

  it('failure 1: says that it does not know when the answer to a rename stays lost', async () => {
    const lose: Answers['x'] = (request) => void request.socket.destroy();
    await using server = await peer({ MOVE: lose!, HEAD: lose! });
    await assert.rejects(put(server), isError('unavailable', { outcome: 'unknown' }));
  });

  it('failure 23: takes an upload away that came to nothing', async () => {
    await using server = await peer({ MOVE: (_, response) => end(response, 507) });
    await assert.rejects(put(server), isError('backend', { reason: 'full' }));
    const upload = server.requests.find((each) => each.startsWith('PUT '))?.slice('PUT '.length);
    await until('the upload is deleted', () => server.requests.includes(`DELETE ${upload}`));
  });

  it('failure 23: reads nothing of a source that the server refuses beforehand', async () => {
    const record = { pulled: 0 };
    await using server = await peer({ EXPECT: (_, response) => end(response, 507) });
    const putting = put(server, endless(record), manyChunks * chunkBytes);
    await assert.rejects(putting, isError('backend', { reason: 'full' }));
    assert.equal(record.pulled, 0);
  });

  it('failure 23: stops reading a source that the server refuses in the middle', async () => {
    const record = { pulled: 0 };
    const PUT: Answers['x'] = (request, response) => {
      request.once('data', () => end(response, 413, { connection: 'close' }));
    };
    await using server = await peer({ PUT });
    await assert.rejects(put(server, endless(record), manyChunks * chunkBytes), (error) =>
      ['backend', 'unavailable'].includes((error as { kind: string }).kind),
    );
    assert.ok(record.pulled < manyChunks, 'the source was not read to its end');
    assert.ok(!server.requests.some((each) => each.startsWith('MOVE')));
  });

  it('failure 25: gives up a server that stops taking bytes', async () => {
    const PUT: Answers['x'] = (request) => void request.pause();
    await using server = await peer({ PUT }, { idle_timeout_ms: '250' });
    const putting = put(server, endless(), manyChunks * chunkBytes);
    await assert.rejects(putting, isError('unavailable', {}, /no progress/));
  });

  it('failure 25: always says how long a body is', async () => {
    const lengths: (string | undefined)[] = [];
    const PUT: Answers['x'] = (request, response) => {
      lengths.push(request.headers['content-length']);
      request.on('end', () => end(response, 201)).resume();
    };
    await using server = await peer({ PUT, HEAD: holding(chunkBytes)! });
    async function* one(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(chunkBytes);
    }
    await put(server, one(), chunkBytes);
    await put(server, Buffer.alloc(chunkBytes), chunkBytes);
    assert.deepEqual(lengths, [String(chunkBytes), String(chunkBytes)]);
  });

  it('sends a body to a server that does not know 100-continue', async () => {
    const EXPECT: Answers['x'] = (request, response) => void request.on('end', () => end(response, 201)).resume();
    await using server = await peer({ EXPECT, HEAD: holding(manyChunks * chunkBytes)! });
    await put(server, endless(), manyChunks * chunkBytes);
  });
});

const lost: Answers['x'] = (_, response) => end(response, 404);

describe('webdav: what a status means', () => {
  const later = { 'retry-after': '7' };
  const statuses: readonly (readonly [number, Record<string, string>, string, Record<string, unknown>, RegExp])[] = [
    [401, { 'www-authenticate': 'Digest realm="x"' }, 'backend', { reason: 'credentials' }, /refuses the credentials/],
    [403, {}, 'backend', { reason: 'forbidden' }, /does not allow/],
    [405, {}, 'backend', {}, /does not know/],
    [413, {}, 'backend', { reason: 'too_large' }, /size/],
    [423, {}, 'backend', { reason: 'locked' }, /locked/],
    [429, {}, 'overloaded', {}, /slow down/],
    [429, later, 'overloaded', { retry_after_ms: 7000 }, /slow down/],
    [500, {}, 'backend', {}, /500/],
    [503, {}, 'backend', {}, /503/],
    [503, later, 'overloaded', { retry_after_ms: 7000 }, /slow down/],
    [507, {}, 'backend', { reason: 'full' }, /room/],
  ];
  for (const [status, headers, kind, details, words] of statuses) {
    const text = `failure 20: says what ${status} means${headers === later ? ', with Retry-After' : ''}, without secrets`;
    it(text, async () => {
      const answer: Answers['x'] = (request, response) =>
        void request.on('end', () => end(response, status, headers)).resume();
      await using server = await peer({ PUT: answer, GET: answer, PROPFIND: answer });
      await assert.rejects(put(server), isError(kind, details, words));
      await assert.rejects(server.backend.get('key', null, soon()), isError(kind, details, words));
      await assert.rejects(server.backend.list({ prefix: '', limit: 1 }, soon()), isError(kind, details, words));
    });
  }

  it('failure 20: says that nobody is there', async () => {
    const server = await peer({});
    await server[Symbol.asyncDispose]();
    await using other = await peer({}, { url: server.url });
    await assert.rejects(other.backend.head('key', soon()), isError('unavailable', {}, /ECONNREFUSED/));
  });

  it('refuses a redirect, whoever it leads to, and shows no secret of it', async () => {
    await using elsewhere = await peer({});
    const location = elsewhere.url.replace('//', '//user:not-to-be-shown@') + '?token=not-to-be-shown';
    const answer: Answers['x'] = (request, response) =>
      void request.on('end', () => end(response, 302, { location })).resume();
    await using server = await peer({ GET: answer, PUT: answer, PROPFIND: answer });
    const isRedirect = isError('backend', { reason: 'redirect' }, /redirects .* to http:\/\/127/);
    await assert.rejects(server.backend.get('key', null, soon()), isRedirect);
    await assert.rejects(put(server), isRedirect);
    await assert.rejects(server.backend.health(soon()), isRedirect);
    assert.deepEqual(elsewhere.requests, []);
  });
});
