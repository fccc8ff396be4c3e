/** The CSI driver between the server and the kernel, over both transports; runs inside a guest. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { until } from '../support/wait.ts';
import { Claim, type CsiProcess, csiProcess } from './csi-process.ts';
import { attempt, filesystemBytes, run, waitMs } from './machine.ts';
import type { Server } from './server.ts';

const MIB = 1024 * 1024;
/** A `mount` that says that it was asked, and does nothing more. */
const slow = '/scratch/slow';
const asked = `${slow}/asked`;
const connectedNbd = async () => (await attempt('ls -d /sys/block/nbd*/pid')).stdout.trim().split('\n').filter(Boolean);

export function csiStories(server: Server): void {
  describe('the CSI driver', () => {
    let driver: CsiProcess;
    before(async () => {
      await run(`mkdir -p ${slow} /scratch/csi`);
      const text = `#!/bin/sh\\necho $$ >${asked}.part && mv ${asked}.part ${asked} && exec sleep 600\\n`;
      await run(`printf '${text}' >${slow}/mount && chmod +x ${slow}/mount`);
    });
    after(() => driver.end('SIGTERM'));

    it('killed between connecting and mounting, ends what it began when it is asked again (NBD)', async () => {
      const claim = new Claim('claim-nbd');
      driver = await csiProcess(server.url, 'nbd', slow);
      await claim.create(driver, 64 * MIB);
      await claim.attach(driver);
      assert.equal(claim.transport, 'nbd');
      const devices = await connectedNbd();
      const staging = claim.stage(driver).catch((error: unknown) => error);
      await until('the mount', () => existsSync(asked), waitMs);
      await driver.end('SIGKILL');
      assert.ok((await staging) instanceof Error);
      await attempt(`kill $(cat ${asked})`);
      const connected = await connectedNbd();
      assert.equal(connected.length, devices.length + 1);

      // What the controller is told to use for further volumes is not the node's business.
      driver = await csiProcess(server.url, 'nvmeof', null);
      await claim.stage(driver);
      assert.deepEqual(await connectedNbd(), connected, 'the same connection');
      await claim.publish(driver);
      await run(`seq 1 1000 >${claim.targetPath}/file && sync ${claim.targetPath}/file`);
      const bytesBefore = await claim.bytes(driver);

      // Neither the server nor the kernel can tell a connected client of a new size.
      await driver.refused('ControllerExpandVolume', claim.growth(128 * MIB), 'FAILED_PRECONDITION');
      await driver.refused('NodeExpandVolume', claim.growthHere(128 * MIB), 'FAILED_PRECONDITION');
      await claim.unpublish(driver);
      await claim.unstage(driver);
      assert.deepEqual(await connectedNbd(), devices);
      await driver.call('ControllerExpandVolume', claim.growth(128 * MIB));
      await claim.stage(driver);
      await claim.publish(driver);
      assert.ok((await claim.bytes(driver)) > 1.8 * bytesBefore);
      assert.match(await readFile(`${claim.targetPath}/file`, 'utf8'), /^1\n[^]*\n1000\n$/);
      await takeBack(claim, driver);
    });

    it('gives a node its volume over NVMe, and grows it in use', async () => {
      const claim = new Claim('claim-nvme');
      await claim.create(driver, 64 * MIB);
      await claim.attach(driver);
      assert.equal(claim.transport, 'nvmeof');
      await claim.stage(driver);
      await claim.publish(driver);
      await run(`seq 1 1000 >${claim.targetPath}/file && sync ${claim.targetPath}/file`);
      const bytesBefore = await filesystemBytes(claim.targetPath);
      assert.equal(await claim.bytes(driver), bytesBefore);
      await driver.call('ControllerExpandVolume', claim.growth(128 * MIB));
      const { capacity_bytes: sizeBytes } = await driver.call('NodeExpandVolume', claim.growthHere(128 * MIB));
      assert.equal(Number(sizeBytes), 128 * MIB);
      assert.ok((await filesystemBytes(claim.targetPath)) > 1.8 * bytesBefore);
      assert.match(await readFile(`${claim.targetPath}/file`, 'utf8'), /^1\n[^]*\n1000\n$/);
      await takeBack(claim, driver);
    });
  });
}

async function takeBack(claim: Claim, driver: CsiProcess): Promise<void> {
  await claim.unpublish(driver);
  await claim.unstage(driver);
  await claim.delete(driver);
  assert.equal(existsSync(claim.targetPath), false);
}
