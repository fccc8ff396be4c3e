import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CsiClient } from '../../src/csi-client.ts';
import type { Connection } from '../../src/csi/holdfast.ts';
import { contract } from '../../src/contract.ts';
import { qemuMissing } from '../support/qemu.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';

const missing = qemuMissing();
const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';
// Nothing else in the tests has these, nor the hundred behind each: an export keeps its port where that is in the range.
const [before, now] = [23_100, 23_300];
const skip = missing === null || isRequired ? false : missing;

test('a repeated publish tells where the export is now, not where its attach once made it', { skip }, async () => {
  await using directory = await temporaryDirectory();
  const start = (port: number) =>
    testServer({ 'storage-backend': 'file', 'data-dir': directory.path, 'export-port-first': String(port) });
  const attach = async ({ url, client }: TestServer): Promise<Connection | null> => {
    const { id } = await client.call(contract.getVolume, { params: { volume: 'v' } });
    const call = { signal: AbortSignal.timeout(30_000), remainingMs: () => 30_000 };
    return (await new CsiClient({ url }, 'nbd').attach(id, 'node-1', 'rw', call)).connection;
  };

  let first: Connection | null;
  {
    await using server = await start(before);
    const body = { name: 'v', size_bytes: String(16 * 1024 * 1024) };
    await server.ended((await server.client.call(contract.createVolume, { body })).operation_id);
    first = await attach(server);
    assert.equal(first?.port, before);
  }
  await using server = await start(now);
  await server.client.call(contract.runKeeper, { params: { name: 'export-keeper' } });
  const again = await until('the export is made again', () =>
    attach(server).then(
      (connection) => connection?.port !== before && connection,
      () => null,
    ),
  );
  assert.deepEqual(again, { ...first, port: now, uri: first!.uri.replace(`:${before}/`, `:${now}/`) });
});
