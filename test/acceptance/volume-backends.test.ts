import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { testServer } from '../support/server.ts';

test('backends of volumes tell the space of a real disk', async () => {
  await using server = await testServer({ 'storage-backend': 'file' });
  const { items } = await server.client.call(contract.listBackends, {});
  const file = items.find(({ name }) => name === 'file');
  assert.equal(file?.status, 'healthy');
  assert.ok(file.free_bytes! > 0 && file.total_bytes! >= file.free_bytes!);
});
