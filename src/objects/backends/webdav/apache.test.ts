import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Apache, apacheMissing, startApache } from '../../../../test/support/apache.ts';
import { until } from '../../../../test/support/wait.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { chunksOf } from '../../content/content.ts';
import type { ObjectBackend } from '../backend.ts';
import { soon } from './testkit.ts';
import { webdavKind } from './webdav.ts';

const skip = process.env['HOLDFAST_REQUIRE_REAL'] === '1' ? false : (apacheMissing() ?? false);
const chunkBytes = 65_536;
const chunks = 1024;

describe('webdav: an Apache that dies or refuses', { skip }, () => {
  let apache: Apache;
  let backend: ObjectBackend;
  before(async () => {
    apache = await startApache();
    backend = open(apache.password);
  });
  after(async () => {
    await backend.close();
    await apache.stop();
  });

  function open(password: string): ObjectBackend {
    const { url, username } = apache;
    return webdavKind.open(webdavKind.validate({ config: { url, username }, secrets: { password } }));
  }

  /** Chunks, of which the middle one comes when Apache is dead. */
  async function* killing(): AsyncGenerator<Buffer> {
    for (let chunk = 0; chunk < chunks; chunk++) {
      if (chunk === chunks / 2) await apache.kill();
      yield Buffer.alloc(chunkBytes, chunk);
    }
  }

  const put = (key: string, bytes: Buffer) => backend.put(key, bytes, { sizeBytes: bytes.length, signal: soon() });

  it('failure 14: dies in the middle of a put, and has no part of the blob when it is back', async () => {
    await put('other', Buffer.from('kept'));
    const putting = backend.put('key', killing(), { sizeBytes: chunks * chunkBytes, signal: soon() });
    await assert.rejects(putting, isKind('unavailable', /cannot be reached/));
    await assert.rejects(backend.head('key', soon()), isKind('unavailable', /cannot be reached/));
    await apache.start();
    assert.equal(await backend.head('key', soon()), null);
    assert.equal((await backend.head('other', soon()))?.sizeBytes, 4);
    const { blobs } = await backend.list({ prefix: '', limit: 10 }, soon());
    assert.deepEqual(
      blobs.map(({ key }) => key),
      ['other'],
    );
  });

  it('failure 14: dies in the middle of a get, which is an error and never a clean end', async () => {
    await put('key', Buffer.alloc(chunks * chunkBytes));
    const opened = await backend.get('key', null, soon());
    const reading = async (): Promise<void> => {
      let readBytes = 0;
      for await (const chunk of chunksOf(opened!.content)) {
        if (readBytes === 0) await apache.kill();
        readBytes += chunk.length;
      }
    };
    await assert.rejects(reading(), isKind('backend', /broke off/));
    await apache.start();
    assert.equal((await backend.head('key', soon()))?.sizeBytes, chunks * chunkBytes);
  });

  it('failure 23: keeps nothing of uploads that came to nothing', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield* killingNothing();
      throw new Error('the client is gone');
    }
    await assert.rejects(backend.put('gone', broken(), { sizeBytes: chunks * chunkBytes, signal: soon() }));
    const uploads = async () =>
      (await readdir(join(apache.directory, 'uploads'))).filter((name) => !name.startsWith('.'));
    await until('no uploads are left', async () => (await uploads()).length === 0);
  });

  it('failure 20: takes a wrong password for an error, and not for absence', async () => {
    const wrong = open('not-the-password');
    const isRefused = isKind('backend', /refuses the credentials/);
    await assert.rejects(wrong.health(soon()), isRefused);
    await assert.rejects(wrong.head('other', soon()), isRefused);
    await assert.rejects(wrong.get('other', null, soon()), isRefused);
    await assert.rejects(wrong.delete('other', soon()), isRefused);
    await assert.rejects(wrong.list({ prefix: '', limit: 1 }, soon()), isRefused);
    await wrong.close();
  });

  async function* killingNothing(): AsyncGenerator<Buffer> {
    for (let chunk = 0; chunk < 40; chunk++) yield Buffer.alloc(chunkBytes);
  }
});

function isKind(kind: string, words: RegExp) {
  return (error: unknown): boolean => {
    if (error instanceof HoldfastError && error.kind === kind && words.test(error.message)) return true;
    throw new Error(`expected ${kind} ${words}`, { cause: error });
  };
}
