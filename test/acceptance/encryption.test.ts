import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { loadConfig } from '../../src/kernel/config/config.ts';
import { createLog } from '../../src/kernel/telemetry/log.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { testFlags } from '../support/server.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { startTransitServer } from '../support/vault/transit-server.ts';
import { until } from '../support/wait.ts';

const text = () => randomBytes(32).toString('base64');
const content = 'what is told to nobody else';

function start(directory: string, flags: Readonly<Record<string, string>> = {}): Promise<RunningServer> {
  const config = loadConfig({ flags: { ...testFlags(directory), ...flags }, env: {} });
  return startServer(config, { log: createLog({ level: 'silent' }) });
}

async function put(url: string, target: string, body = content): Promise<void> {
  const answer = await fetch(`${url}/api/v1/objects/${target}`, { method: 'PUT', body });
  assert.equal(answer.status, 201, await answer.text());
}

async function get(url: string, target: string): Promise<string> {
  const answer = await fetch(`${url}/api/v1/objects/${target}`);
  assert.equal(answer.status, 200);
  return answer.text();
}

async function addDisk(client: Client, directory: string): Promise<string> {
  const path = join(directory, 'blobs');
  await mkdir(path);
  await client.call(contract.addObjectBackend, { body: { name: 'disk', kind: 'filesystem', config: { path } } });
  return path;
}

async function standsInClear(path: string): Promise<boolean> {
  const files = await readdir(path, { recursive: true, withFileTypes: true });
  const contents = files.filter((one) => one.isFile()).map((one) => readFile(join(one.parentPath, one.name)));
  return (await Promise.all(contents)).some((bytes) => bytes.includes(content));
}

describe('a server with root keys', () => {
  it('encrypts what stands, rotates its keys and starts again with the new root key alone', async () => {
    await using directory = await temporaryDirectory();
    const [old, next] = [text(), text()];
    let server = await start(directory.path, { 'encryption-keys': `old=${old}` });
    let client = new Client({ url: server.url });
    const blobs = await addDisk(client, directory.path);
    await client.call(contract.createBucket, { body: { name: 'safe' } });
    await put(server.url, 'safe/k');
    assert.ok(await standsInClear(blobs));
    const encryption = { algorithm: 'AES256' as const };
    await client.call(contract.changeBucket, { params: { bucket: 'safe' }, body: { encryption } });
    const dry = await client.call(contract.startRewrite, { body: { action: 'encrypt', dry_run: true } });
    assert.deepEqual(dry, { rewrite: null, plan: { contents: 1, bytes: 27, sample: ['safe/k'], is_partial: false } });
    await client.call(contract.startRewrite, { body: { action: 'encrypt', bucket: 'safe' } });
    await client.call(contract.runKeeper, { params: { name: 'object-rewriter' } });
    const { rewrites } = await until('the pass ends', async () => {
      const status = await client.call(contract.getEncryption, {});
      return status.rewrites[0]?.state === 'completed' ? status : null;
    });
    assert.deepEqual([rewrites[0]!.rewritten, rewrites[0]!.failed], [1, 0]);
    assert.equal(await get(server.url, 'safe/k'), content);
    await client.call(contract.runKeeper, { params: { name: 'object-cleanup' } });
    // What goes while it is listed and read is looked for once more.
    await until('the plain bytes are gone', async () => !(await standsInClear(blobs).catch(() => true)));
    await server.stop();

    const both = { 'encryption-keys': `old=${old},next=${next}`, 'encryption-current-key': 'next' };
    server = await start(directory.path, both);
    client = new Client({ url: server.url });
    assert.equal((await client.call(contract.rotateEncryption, { body: {} })).rewrapped, 1);
    const status = await client.call(contract.getEncryption, {});
    assert.deepEqual(
      status.root_keys.map(({ id, is_current: isCurrent }) => [id, isCurrent]),
      [
        ['old', false],
        ['next', true],
      ],
    );
    assert.ok(status.keys.every(({ root_key_id: id }) => id === 'next'));
    assert.ok(!JSON.stringify(status).includes(next));
    await server.stop();

    server = await start(directory.path, { 'encryption-keys': `next=${next}` });
    assert.equal(await get(server.url, 'safe/k'), content);
    await server.stop();
  });

  it('does not start when a key cannot be used, and says which in one sentence', async () => {
    await using directory = await temporaryDirectory();
    const key = text();
    const server = await start(directory.path, { 'encryption-keys': `a=${key}` });
    await server.stop();
    const refused: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [{}, /encrypted under the root key a, and no root keys are configured/],
      [{ 'encryption-keys': `b=${key}` }, /wrapped by the root key a, which is not configured/],
      [{ 'encryption-keys': `a=${text()}` }, /the root key a \(from ENCRYPTION_KEYS\) is not the one that wrapped it/],
      [{ 'encryption-key-files': `a=${directory.path}/none` }, /none of the root key a does not exist/],
    ];
    for (const [flags, sentence] of refused) {
      await assert.rejects(start(directory.path, flags), (error: Error) => {
        assert.match(error.message, sentence);
        assert.ok(!error.message.includes(key.slice(0, 12)));
        return true;
      });
    }
  });

  it('asks Vault once for each of its keys, and not at all for an object', async () => {
    await using directory = await temporaryDirectory();
    await using vault = await startTransitServer('s.token');
    vault.makeKey('objects');
    const tokenFile = join(directory.path, 'token');
    await writeFile(tokenFile, 's.token');
    const flags = {
      'encryption-vault-keys': 'far=objects',
      'vault-addr': vault.url,
      'vault-token-file': tokenFile,
    };
    const server = await start(directory.path, flags);
    const client = new Client({ url: server.url });
    const blobs = await addDisk(client, directory.path);
    await client.call(contract.createBucket, { body: { name: 'safe', encryption: { algorithm: 'aws:kms' } } });
    await put(server.url, 'safe/first');
    const calls = vault.calls.length;
    vault.isSealed = true;
    await put(server.url, 'safe/k');
    assert.equal(await get(server.url, 'safe/k'), content);
    assert.equal(vault.calls.length, calls);
    assert.ok(!(await standsInClear(blobs)));
    await assert.rejects(client.call(contract.rotateEncryption, { body: {} }), /is sealed or in maintenance/);
    await server.stop();
    await assert.rejects(start(directory.path, flags), /Vault at 127\.0\.0\.1:\d+ is sealed or in maintenance/);
    vault.isSealed = false;
    vault.tokens.clear();
    await assert.rejects(start(directory.path, flags), /does not let this token decrypt/);
  });
});
