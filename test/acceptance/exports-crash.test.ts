/** What clients have flushed through an export is there after whatever serves it was killed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { withQemu } from '../../src/volumes/exports/nbd/testkit.ts';
import { serveProcess } from '../support/serve-process.ts';
import { until } from '../support/wait.ts';
import { attachExported, detach, exportsOf, listenerOf, reads, usableUri, write } from '../volumes/exported.ts';
import { fileRig } from '../volumes/rigs.ts';
import { MIB } from '../volumes/world.ts';

withQemu('data written through an export', () => {
  test('is there after a SIGKILL of the daemon, and after one of the server', async () => {
    await using rig = await fileRig();
    const flags = { ...rig.flags, 'export-port-first': '23700' };
    let server = await serveProcess(flags);
    try {
      let hand = rig.hand(server.client);
      const [volume, other] = [await hand.create('one', { size_bytes: 8 * MIB }), await hand.create('two')];
      const { uri, port, exportId } = await attachExported(hand, volume);
      const keyed = await attachExported(hand, other, { node_id: 'node-b', tls: true });
      await write(uri, 0x61);

      process.kill(await listenerOf(port), 'SIGKILL');
      await until('the loss is told on the export', async () => (await hand.history(volume)).includes('export_lost'));
      const afterDaemon = await usableUri(hand, volume);
      assert.equal(afterDaemon, uri, 'clients find it where it was');
      assert.equal(await reads(uri, 0x61), true);
      await write(uri, 0x62, MIB);

      const daemon = await listenerOf(port);
      await server.kill();
      await until('the daemon ends with its server', () => !existsSync(`/proc/${daemon}`));
      server = await serveProcess(flags);
      hand = rig.hand(server.client);
      const afterServer = await usableUri(hand, volume);
      assert.equal(afterServer, uri, 'clients find it where it was');
      assert.equal(await reads(afterServer, 0x61), true);
      assert.equal(await reads(afterServer, 0x62, MIB), true);
      await hand.assertTrue(volume, 'attached');
      assert.equal((await exportsOf(hand, volume))[0]?.id, exportId, 'it is the same export');

      const secret = await exportsOf(hand, other);
      const params = { volume: other, export: secret[0]!.id };
      const credentials = await hand.client.call(contract.getExportCredentials, { params });
      assert.ok('identity' in credentials);
      assert.equal(credentials.identity, params.export, 'the key is the one that clients have');
      await until('the export with a key is back', async () => (await exportsOf(hand, other))[0]?.state === 'active');

      assert.equal((await exportsOf(hand, other))[0]?.connection?.uri, keyed.uri);
      assert.equal((await detach(hand, other)).error, null);

      await server.kill();
      await using _somebody = await listenAt(port);
      server = await serveProcess(flags);
      hand = rig.hand(server.client);
      const elsewhere = await usableUri(hand, volume);
      assert.notEqual(elsewhere, uri, 'somebody else has the port now');
      assert.equal(await reads(elsewhere, 0x62, MIB), true);
      const { items: events } = await hand.client.call(contract.listEvents, {
        query: { volume_id: volume, limit: 200 },
      });
      const moves = events.map(({ data }) => data).filter((data) => data['previous_uri'] !== undefined);
      assert.deepEqual(
        moves.map((data) => [data['previous_uri'], data['uri']]),
        [[uri, elsewhere]],
      );
      assert.equal((await detach(hand, volume)).error, null);
      assert.equal(await server.stop(), 0);
    } finally {
      await server.kill();
    }
  });
});

/** Takes a port as soon as it is free. */
async function listenAt(port: number): Promise<AsyncDisposable> {
  // A client that was told of the old place sees at once that it is not served there.
  const server = createServer((socket) => socket.destroy());
  await until(`port ${port} is free`, async () => {
    server.listen(port, '127.0.0.1');
    return once(server, 'listening').then(
      () => true,
      () => null,
    );
  });
  return server;
}
