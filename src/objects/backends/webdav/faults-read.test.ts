import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { chunksOf } from '../../content/content.ts';
import type { ObjectBackend } from '../backend.ts';
import { type Answers, end, isError, peer, soon } from './testkit.ts';

const text = 'The quick brown fox jumps over the lazy dog.';
const range = { offset: 4, length: 5 };

async function read(backend: ObjectBackend, part: typeof range | null = null, signal = soon()): Promise<string> {
  const opened = await backend.get('key', part, signal);
  assert.ok(opened !== null);
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(opened.content)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const broken: Readonly<Record<string, Answers['x']>> = {
  'a body that is cut off': (_, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write(text, () => response.destroy());
  },
  'a chunked body without a length': (_, response) => {
    response.writeHead(200).write(text);
    response.end();
  },
  'a body in an encoding': (_, response) => end(response, 200, { 'content-encoding': 'gzip' }, text),
  'what is not HTTP': (_, response) => void response.socket?.end('200 fine, here you are\r\n\r\n'),
};

const brokenRanges: Readonly<Record<string, Answers['x']>> = {
  'another range': (_, response) => end(response, 206, { 'content-range': 'bytes 5-9/44' }, text.slice(5, 10)),
  'no range at all': (_, response) => end(response, 206, {}, text.slice(4, 9)),
  'a range of unknown size': (_, response) => end(response, 206, { 'content-range': 'bytes 4-8/*' }, text.slice(4, 9)),
  'fewer bytes than its range': (_, response) => {
    const headers = { 'content-range': 'bytes 4-8/44', 'content-length': '3' };
    end(response, 206, headers, text.slice(4, 7));
  },
  'more bytes than its range': (_, response) => {
    response.writeHead(206, { 'content-range': 'bytes 4-8/44' }).write(text);
    response.end();
  },
  'a whole that is cut off before the range': (_, response) => {
    response.writeHead(200, { 'content-length': '44' });
    response.write(text.slice(0, 6), () => response.destroy());
  },
  'a blob that is shorter than the range': (_, response) => end(response, 200, { 'content-length': '4' }, 'tiny'),
  'that it cannot satisfy the range': (_, response) => end(response, 416, { 'content-range': 'bytes */4' }),
};

describe('webdav: answers to reads that lie or break', () => {
  for (const [what, answer] of Object.entries(broken)) {
    it(`failure 14: takes ${what} for an error, never for a clean end`, async () => {
      await using server = await peer({ GET: answer! });
      await assert.rejects(read(server.backend), isError('backend'));
    });
  }

  for (const [what, answer] of Object.entries(brokenRanges)) {
    it(`failure 14: refuses ${what} in answer to a range`, async () => {
      await using server = await peer({ GET: answer! });
      await assert.rejects(read(server.backend, range), isError('backend'));
    });
  }

  it('reads a range from a server that gives the whole', async () => {
    await using server = await peer({ GET: (_, response) => end(response, 200, { 'content-length': '44' }, text) });
    assert.equal(await read(server.backend, range), 'quick');
    assert.equal(await read(server.backend, { offset: 39, length: 5 }), ' dog.'.slice(0, 5));
    assert.equal(await read(server.backend), text);
  });

  it('asks by PROPFIND for a size that HEAD does not tell', async () => {
    const sized = `<d:multistatus xmlns:d="DAV:"><d:response><d:href>/dav/blobs/key_b</d:href><d:propstat><d:prop>
      <d:getcontentlength>0</d:getcontentlength></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>
      </d:multistatus>`;
    await using server = await peer({
      HEAD: (_, response) => end(response, 200),
      PROPFIND: (_, response) => end(response, 207, {}, sized),
    });
    assert.equal((await server.backend.head('key', soon()))?.sizeBytes, 0);
  });
});

describe('webdav: reads that hang', () => {
  const quick = { idle_timeout_ms: '250' };

  it('failure 25: gives up a server that does not answer', async () => {
    await using server = await peer({ GET: () => undefined }, quick);
    await assert.rejects(read(server.backend), isError('unavailable', {}, /no progress/));
  });

  it('failure 25: gives up a server that stops in the middle of a body', async () => {
    const GET: Answers['x'] = (_, response) => void response.writeHead(200, { 'content-length': '44' }).write('The');
    await using server = await peer({ GET }, { idle_timeout_ms: '1500' });
    await assert.rejects(read(server.backend), isError('unavailable', {}, /no progress/));
  });

  it('failure 25: waits for a server that is slow but goes on, longer than its deadline of progress', async () => {
    const GET: Answers['x'] = (_, response) => {
      response.writeHead(200, { 'content-length': '44' });
      const letters = text.split('');
      const timer = setInterval(() => {
        response.write(letters.splice(0, 4).join(''));
        if (letters.length === 0) clearInterval(timer);
      }, 200);
    };
    await using server = await peer({ GET }, { idle_timeout_ms: '1500' });
    assert.equal(await read(server.backend), text);
  });

  it('failure 25: does not hold a slow reader against the server', async () => {
    const bytes = 8 * 1024 * 1024;
    const GET: Answers['x'] = (_, response) =>
      end(response, 200, { 'content-length': String(bytes) }, 'x'.repeat(bytes));
    await using server = await peer({ GET }, { idle_timeout_ms: '1500' });
    const opened = await server.backend.get('key', null, soon());
    let readBytes = 0;
    for await (const chunk of chunksOf(opened!.content)) {
      if (readBytes === 0) await delay(2_000);
      readBytes += chunk.length;
    }
    assert.equal(readBytes, bytes);
  });

  it('failure 20: throws the reason of a caller who gives up unchanged, also one that looks like a fault', async () => {
    const GET: Answers['x'] = (_, response) => void response.writeHead(200, { 'content-length': '44' }).write('The');
    await using server = await peer({ GET });
    const controller = new AbortController();
    const reason = new HoldfastError('unavailable', 'The request has used up its time.');
    const reading = read(server.backend, null, controller.signal);
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(reading, (error) => error === reason);
  });

  it('asks again when the server has just closed a kept connection', async () => {
    let answers = 0;
    const HEAD: Answers['x'] = (request, response) => {
      answers++;
      if (answers === 2) request.socket.destroy();
      else end(response, 200, { 'content-length': '3', 'last-modified': 'Sat, 21 Nov 2026 07:00:00 GMT' });
    };
    await using server = await peer({ HEAD });
    for (let turn = 0; turn < 3; turn++) assert.equal((await server.backend.head('key', soon()))?.sizeBytes, 3);
    assert.equal(answers, 4);
  });
});
