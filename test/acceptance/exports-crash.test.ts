/** What clients have flushed through an export is there after whatever serves it was killed. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
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
    let server = await serveProcess(rig.flags);
    try {
      let hand = rig.hand(server.client);
      const [volume, other] = [await hand.create('one', { size_bytes: 8 * MIB }), await hand.create('two')];
      const { uri, port, exportId } = await attachExported(hand, volume);
      await attachExported(hand, other, { node_id: 'node-b', tls: true });
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
      server = await serveProcess(rig.flags);
      hand = rig.hand(server.client);
      const afterServer = await usableUri(hand, volume);
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

      assert.equal((await detach(hand, volume)).error, null);
      assert.equal((await detach(hand, other)).error, null);
      assert.equal(await server.stop(), 0);
    } finally {
      await server.kill();
    }
  });
});
