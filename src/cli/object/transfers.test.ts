import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { serving } from '../../../test/support/http-server.ts';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { Refused } from '../../client-bytes.ts';
import type { GetWish } from './download.ts';
import { getFile } from './get-object.ts';
import { type PutWish, putFile } from './put-object.ts';

const content = Buffer.alloc(700_000, 'some content, ');
const md5 = createHash('md5').update(content).digest('hex');
const address = { bucket: 'safe', key: 'a/../b' };
const { signal } = new AbortController();

/** A wish that sums up what progress is told; `came` resolves with the first bytes. */
function counting<T>(wish: T) {
  let sum = 0;
  const first = Promise.withResolvers<void>();
  const onBytes = (bytes: number) => {
    sum += bytes;
    first.resolve();
  };
  return { ...wish, onBytes, told: () => sum, came: first.promise };
}

const getWish: Omit<GetWish, 'onBytes'> = { address, versionId: undefined, range: undefined, signal };
const putWish: Omit<PutWish, 'onBytes'> = { address, contentType: 'text/plain', metadata: {}, isNew: false, signal };

function answerWith(response: ServerResponse, body: Buffer, etag: string): void {
  response.writeHead(200, { etag: `"${etag}"`, 'content-length': content.length });
  response.end(body);
}

/** The whole object, but the connection breaks when some of it has come. */
function breakOff(response: ServerResponse, came: Promise<void>): void {
  response.writeHead(200, { etag: `"${md5}"`, 'content-length': content.length });
  response.write(content.subarray(0, 100_000));
  void came.then(() => response.destroy());
}

/** Bytes from one position up to the end of what was asked for. */
function answerWithRest(response: ServerResponse, from: number, end = content.length): void {
  const range = `bytes ${from}-${end - 1}/${content.length}`;
  response.writeHead(206, { etag: `"${md5}"`, 'content-range': range, 'content-length': end - from });
  response.end(content.subarray(from, end));
}

function later(response: ServerResponse): void {
  response.writeHead(503, { 'retry-after': '0' });
  response.end();
}

/** Reads a request to its end, and answers as the server does. */
function store(request: IncomingMessage, response: ServerResponse): void {
  const hash = createHash('md5');
  request.on('data', (chunk: Buffer) => hash.update(chunk));
  request.on('end', () => response.writeHead(201).end(JSON.stringify({ etag: hash.digest('hex') })));
}

describe('reading an object into a file', () => {
  test('gives the whole of it, and nothing beside it', async () => {
    await using directory = await temporaryDirectory();
    await using served = await serving((request, response) => {
      assert.equal(request.url, '/api/v1/objects/safe/a/../b');
      answerWith(response, content, md5);
    });
    const path = join(directory.path, 'b');
    await writeFile(path, 'what was there before');
    const wish = counting(getWish);
    assert.equal((await getFile(served.client, path, wish)).sizeBytes, content.length);
    assert.deepEqual(await readFile(path), content);
    assert.deepEqual(await readdir(directory.path), ['b']);
    assert.equal(wish.told(), content.length);
  });

  test('asks for the rest, and only for it, when the connection broke, and waits when it is told "later"', async () => {
    await using directory = await temporaryDirectory();
    const wish = counting(getWish);
    const asked: { readonly from: number | null; readonly match: string | undefined }[] = [];
    await using served = await serving((request, response) => {
      const { range, 'if-match': match } = request.headers;
      const from = range === undefined ? null : Number(/^bytes=(\d+)-$/.exec(range)?.[1]);
      asked.push({ from, match });
      if (asked.length === 1 || asked.length === 3) return later(response);
      return from === null ? breakOff(response, wish.came) : answerWithRest(response, from);
    });
    assert.equal((await getFile(served.client, join(directory.path, 'b'), wish)).sizeBytes, content.length);
    assert.deepEqual(await readFile(join(directory.path, 'b')), content);
    assert.equal(wish.told(), content.length);
    const [one, two, three, four] = asked;
    const whole = { from: null, match: undefined };
    assert.deepEqual([one, two], [whole, whole]);
    assert.deepEqual([three!.match, four, asked.length], [`"${md5}"`, three, 4]);
    // Of what was on its way when the connection broke, not all needs to have come.
    assert.ok(three!.from! > 0 && three!.from! <= 100_000, String(three!.from));
  });

  test('asks for the rest of a range within it', async () => {
    await using directory = await temporaryDirectory();
    const wish = counting({ ...getWish, range: 'bytes=500-200500' });
    const asked: string[] = [];
    await using served = await serving((request, response) => {
      const { range = '' } = request.headers;
      asked.push(range);
      if (asked.length > 1) return answerWithRest(response, Number(/^bytes=(\d+)-200500$/.exec(range)?.[1]), 200_501);
      response.writeHead(206, { etag: `"${md5}"`, 'content-range': `bytes 500-200500/${content.length}` });
      response.write(content.subarray(500, 1_000));
      void wish.came.then(() => response.destroy());
    });
    const path = join(directory.path, 'b');
    await getFile(served.client, path, wish);
    assert.deepEqual(await readFile(path), content.subarray(500, 200_501));
    assert.deepEqual(asked, ['bytes=500-200500', 'bytes=1000-200500']);
  });

  test('never puts two objects into one file: one that was replaced in the middle is a failure', async () => {
    for (const answer of [
      (response: ServerResponse) => response.writeHead(412).end('{"error":"No.","code":"CONFLICT"}'),
      (response: ServerResponse) => answerWith(response, content, md5),
    ]) {
      await using directory = await temporaryDirectory();
      const wish = counting(getWish);
      let calls = 0;
      await using served = await serving((_request, response) => {
        calls++;
        return calls === 1 ? breakOff(response, wish.came) : void answer(response);
      });
      await assert.rejects(getFile(served.client, join(directory.path, 'b'), wish), /was replaced|gave other bytes/);
      assert.deepEqual([await readdir(directory.path), calls, wish.told()], [[], 2, 0]);
    }
  });

  test('leaves what was there when other bytes come than the object has', async () => {
    await using directory = await temporaryDirectory();
    const damaged = Buffer.from(content);
    damaged[650_000]! ^= 1;
    await using served = await serving((_request, response) => answerWith(response, damaged, md5));
    const path = join(directory.path, 'b');
    await writeFile(path, 'what was there before');
    await assert.rejects(getFile(served.client, path, counting(getWish)), /Other bytes came than the object has/);
    assert.equal(await readFile(path, 'utf8'), 'what was there before');
    assert.deepEqual(await readdir(directory.path), ['b']);
  });

  test('takes the ETag of an object in parts for what it is, no MD5', async () => {
    await using directory = await temporaryDirectory();
    await using served = await serving((_request, response) => answerWith(response, content, `${md5}-2`));
    assert.equal(
      (await getFile(served.client, join(directory.path, 'b'), counting(getWish))).sizeBytes,
      content.length,
    );
  });
});

describe('writing a file as an object', () => {
  test('sends it whole again when the server wants it later', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'b');
    await writeFile(path, content);
    let calls = 0;
    await using served = await serving((request, response) => {
      calls++;
      if (calls === 1) later(response);
      else store(request, response);
    });
    const wish = counting(putWish);
    assert.equal((await putFile(served.client, path, wish)).etag, md5);
    assert.deepEqual([calls, wish.told()], [2, content.length]);
  });

  test('sends one that must be new only once, since it could meet itself', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'b');
    await writeFile(path, content);
    let calls = 0;
    await using served = await serving((request, response) => {
      calls++;
      assert.equal(request.headers['if-none-match'], '*');
      later(response);
    });
    await assert.rejects(putFile(served.client, path, counting({ ...putWish, isNew: true })), Refused);
    assert.equal(calls, 1);
  });

  test('fails when the server has other bytes than were sent', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'b');
    await writeFile(path, content);
    await using served = await serving((request, response) => {
      request.resume();
      request.on('end', () => response.writeHead(201).end(JSON.stringify({ etag: '0'.repeat(32) })));
    });
    await assert.rejects(putFile(served.client, path, counting(putWish)), /Other bytes arrived than were sent/);
  });

  test('fails when the file is written to meanwhile', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'b');
    await writeFile(path, content);
    await using served = await serving((request, response) => {
      request.resume();
      const answer = () => response.writeHead(201).end(JSON.stringify({ etag: md5 }));
      request.on('end', () => void writeFile(path, 'other content').then(answer));
    });
    await assert.rejects(putFile(served.client, path, counting(putWish)), /was changed while it was read/);
  });
});
