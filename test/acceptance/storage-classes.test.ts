import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { CommandLine } from '../support/command-line.ts';
import { type TestServer, testServer } from '../support/server.ts';

describe('storage classes over plain HTTP', () => {
  let at: TestServer;
  let cli: CommandLine;

  before(async () => {
    at = await testServer({ 'object-storage-classes': 'COLD=tier=cold' });
    cli = new CommandLine(at.directory, () => at.url);
    for (const tier of ['hot', 'cold']) {
      const config = { path: join(at.directory, tier) };
      await at.client.call(contract.addObjectBackend, {
        body: { name: tier, kind: 'filesystem', config, labels: { tier } },
      });
    }
    await at.client.call(contract.createBucket, { body: { name: 'box', required_labels: { tier: 'hot' } } });
  });
  after(() => at[Symbol.asyncDispose]());

  const path = (key: string) => `${at.url}/api/v1/objects/box/${key}`;
  const put = async (key: string, headers: Record<string, string> = {}) => {
    const response = await fetch(path(key), { method: 'PUT', body: 'body', headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const copiesOn = async (backend: string) =>
    (await at.client.call(contract.getObjectBackend, { params: { backend } })).copies.count;

  test('are taken with a write, and told of it, of reads and in listings', async () => {
    const { status, body } = await put('cold', { 'x-storage-class': 'COLD' });
    assert.deepEqual([status, body['storage_class']], [201, 'COLD']);
    assert.deepEqual([await copiesOn('hot'), await copiesOn('cold')], [0, 1]);
    for (const headers of [{}, { 'x-storage-class': 'STANDARD' }]) {
      assert.equal((await put('warm', headers as Record<string, string>)).body['storage_class'], 'STANDARD');
    }
    for (const method of ['GET', 'HEAD']) {
      const told = async (key: string) => (await fetch(path(key), { method })).headers.get('x-storage-class');
      assert.deepEqual([await told('cold'), await told('warm')], ['COLD', null]);
    }
    const { items } = await at.client.call(contract.listObjects, { params: { bucket: 'box' }, query: {} });
    assert.deepEqual(
      items.map((one) => [one.key, one.storage_class]),
      [
        ['cold', 'COLD'],
        ['warm', 'STANDARD'],
      ],
    );
  });

  test('that there are not are refused by name, and nothing is written', async () => {
    const { status, body } = await put('none', { 'x-storage-class': 'GLACIER' });
    assert.deepEqual([status, body['code']], [400, 'INVALID_REQUEST']);
    assert.match(String(body['error']), /There are the storage classes STANDARD, COLD/);
    assert.equal((await fetch(path('none'))).status, 404);
  });

  test('are taken and told by the command line', async () => {
    const file = join(at.directory, 'file');
    await writeFile(file, 'content');
    await cli.ok('object', 'put', file, 'box/by-cli', '--storage-class', 'COLD');
    assert.match(await cli.ok('object', 'stat', 'box/by-cli'), /^class +COLD$/m);
    assert.doesNotMatch(await cli.ok('object', 'stat', 'box/warm'), /^class/m);
    await cli.fails(2, /storage classes STANDARD, COLD/, 'object', 'put', file, 'box/x', '--storage-class', 'NONE');
  });
});
