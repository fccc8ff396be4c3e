import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { startTransitServer } from '../../../../test/support/vault/transit-server.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { TransitClient, transitRootKey } from './transit.ts';

/** `timeoutMs` is short only for a server that does not answer. */
async function stage(timeoutMs = 20_000) {
  const directory = await temporaryDirectory();
  const tokenFile = join(directory.path, 'token');
  await writeFile(tokenFile, 's.first\n');
  const server = await startTransitServer('s.first');
  server.makeKey('objects');
  const client = new TransitClient({ origin: server.url, mount: 'transit', tokenFile, ca: null, timeoutMs });
  return {
    server,
    tokenFile,
    key: transitRootKey(client, 'far', 'objects'),
    keyNamed: (name: string) => transitRootKey(client, 'far', name),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function refused(kind: string, pattern: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.kind, kind);
    assert.match(error.message, pattern);
    assert.match(error.message, /^[A-Z][^\n]*\.$/);
    assert.ok(!error.message.includes('s.first'), 'the token is told to nobody');
    return true;
  };
}

describe('a root key in Vault', () => {
  test('wraps and unwraps, bound to the id of what it wraps, also after Vault has a newer version of it', async () => {
    await using at = await stage();
    const kek = randomBytes(32);
    const wrapped = await at.key.wrap(kek, 'kek-1');
    assert.match(wrapped, /^vault:v1:/);
    at.server.rotateKey('objects');
    assert.deepEqual(await at.key.unwrap(wrapped, 'kek-1'), kek);
    assert.match(await at.key.wrap(kek, 'kek-1'), /^vault:v2:/);
    await assert.rejects(at.key.unwrap(wrapped, 'kek-2'), refused('invalid', /is not the one that wrapped it/));
    at.server.makeKey('other');
    await assert.rejects(
      at.keyNamed('other').unwrap(wrapped, 'kek-1'),
      refused('invalid', /is not the one that wrapped/),
    );
  });

  test('is asked with the token that its file has now', async () => {
    await using at = await stage();
    at.server.tokens.clear();
    at.server.tokens.add('s.second');
    await assert.rejects(at.key.wrap(randomBytes(32), 'k'), refused('unavailable', /does not let this token encrypt/));
    await writeFile(at.tokenFile, 's.second');
    assert.match(await at.key.wrap(randomBytes(32), 'k'), /^vault:/);
    await writeFile(at.tokenFile, '');
    await assert.rejects(at.key.wrap(randomBytes(32), 'k'), refused('unavailable', /holds no token/));
  });

  test('that cannot be asked says why', async () => {
    await using at = await stage();
    const kek = randomBytes(32);
    at.server.isSealed = true;
    await assert.rejects(at.key.wrap(kek, 'k'), refused('unavailable', /is sealed or in maintenance/));
    at.server.isSealed = false;
    await assert.rejects(at.keyNamed('absent').wrap(kek, 'k'), refused('unavailable', /encryption key not found/));
  });

  test('that does not answer is not waited for without end', async () => {
    await using at = await stage(300);
    const kek = randomBytes(32);
    at.server.isHanging = true;
    await assert.rejects(at.key.wrap(kek, 'k'), refused('unavailable', /cannot be asked/));
  });
});
