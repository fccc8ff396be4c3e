/** What a node does with what is left of an earlier time: a machine that was started anew, and connections that were lost. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { ConnectionTarget, Connector, Link } from '../../src/csi/node/connector.ts';
import { LinuxSystem } from '../../src/csi/node/linux-system.ts';
import { mountAt } from '../../src/csi/node/mounts.ts';
import { StageRecords } from '../../src/csi/node/stage-records.ts';
import { type Driver, capability, startDriver, unique } from './driver.ts';
import { LoopConnector } from './loop-connector.ts';
import { withMounts } from './with-mounts.ts';
import { type Workload, workloadOf } from './workload.ts';

const run = promisify(execFile);

/** Devices whose connections can be said to be broken; ending one and connecting anew mends it. */
class Fragile implements Connector {
  readonly broken = new Map<string, Link>();
  readonly connects: string[] = [];
  inner!: Connector;

  find(target: ConnectionTarget): Promise<string | null> {
    return this.inner.find(target);
  }

  async link(target: ConnectionTarget): Promise<Link> {
    return this.broken.get(target.volumeId) ?? this.inner.link(target);
  }

  async connect(target: ConnectionTarget, note: (handle: Record<string, string>) => Promise<void>): Promise<string> {
    this.connects.push(target.volumeId);
    return this.inner.connect(target, note);
  }

  async disconnect(target: ConnectionTarget): Promise<void> {
    await this.inner.disconnect(target);
    this.broken.delete(target.volumeId);
  }

  refresh(target: ConnectionTarget, device: string): Promise<void> {
    return this.inner.refresh(target, device);
  }
}

await withMounts('a CSI node with what is left of an earlier time', () => {
  const fragile = new Fragile();
  let driver: Driver;
  before(async () => {
    driver = await startDriver({ connectors: { none: fragile } });
    fragile.inner = new LoopConnector(driver.holdfast.client);
  });
  after(() => driver[Symbol.asyncDispose]());

  const newWorkload = async (access = capability()): Promise<Workload> => {
    const volume = await driver.createVolume(unique('stale'), { volume_capabilities: [access] });
    return workloadOf(driver, volume.volume_id, access);
  };
  const recordOf = (volumeId: string) => new StageRecords(join(driver.directory, 'state')).read(volumeId);
  const isMounted = async (path: string) => (await mountAt(await new LinuxSystem().mounts(), path)) !== null;
  /** What a restart of the machine leaves of a volume here: the record, and the folders. */
  const restartMachine = async ({ volumeId, stagingPath, targetPath }: Workload) => {
    for (const path of [targetPath, stagingPath]) if (await isMounted(path)) await run('umount', [path]);
    await fragile.inner.disconnect((await recordOf(volumeId))!);
  };
  const conditionOf = async ({ volumeId, targetPath }: Workload) => {
    const request = { volume_id: volumeId, volume_path: targetPath };
    return (await driver.call('NodeGetVolumeStats', request))['volume_condition'];
  };

  test('a stage from before a restart is made again, and a workload that is gone holds no place', async () => {
    const access = capability('SINGLE_NODE_SINGLE_WRITER');
    await using workload = await newWorkload(access);
    await workload.stage();
    await workload.publish();
    await writeFile(join(workload.targetPath, 'kept'), 'the bytes');
    await restartMachine(workload);
    await workload.stage();
    const elsewhere = `${workload.targetPath}-of-another-workload`;
    await workload.publish({ target_path: elsewhere });
    assert.equal(await readFile(join(elsewhere, 'kept'), 'utf8'), 'the bytes');
    assert.deepEqual((await recordOf(workload.volumeId))?.targets, [{ path: elsewhere, isReadOnly: false }]);
    await workload.unpublish(elsewhere);
  });

  test('a stage from before a restart binds neither to its path nor to its capability', async () => {
    await using workload = await newWorkload();
    await workload.stage();
    await workload.publish();
    await restartMachine(workload);
    const moved = { staging_target_path: `${workload.stagingPath}-moved` };
    await workload.stage({ ...moved, volume_capability: capability('SINGLE_NODE_SINGLE_WRITER') });
    await workload.publish({ ...moved, readonly: true });
    await assert.rejects(writeFile(join(workload.targetPath, 'x'), 'x'), { code: 'EROFS' });
    await assert.rejects(workload.stage(), /ALREADY_EXISTS/);
    await workload.unpublish();
    await driver.call('NodeUnstageVolume', { volume_id: workload.volumeId, ...moved });
  });

  test('what a restart undid is unpublished and unstaged as if it were there, and leaves no record', async () => {
    await using workload = await newWorkload();
    await workload.stage();
    await workload.publish();
    await restartMachine(workload);
    await workload.unpublish();
    await workload.unstage();
    assert.equal(await recordOf(workload.volumeId), null);
  });

  test('a second process of the driver goes on where the first was ended', async () => {
    await using workload = await newWorkload();
    await workload.stage();
    const stateDirectory = join(driver.directory, 'state');
    await using second = await startDriver({ stateDirectory, connectors: { none: fragile } });
    await second.call('NodePublishVolume', {
      volume_id: workload.volumeId,
      staging_target_path: workload.stagingPath,
      target_path: workload.targetPath,
      volume_capability: capability(),
    });
    assert.ok(await isMounted(workload.targetPath));
    assert.equal(fragile.connects.filter((id) => id === workload.volumeId).length, 1);
  });

  test('a connection that was lost while nobody used the volume is made again by the next publish', async () => {
    await using workload = await newWorkload();
    await workload.stage();
    await workload.publish();
    await writeFile(join(workload.targetPath, 'kept'), 'the bytes');
    await workload.unpublish();
    fragile.broken.set(workload.volumeId, 'lost');
    await workload.publish();
    assert.equal(await readFile(join(workload.targetPath, 'kept'), 'utf8'), 'the bytes');
    assert.equal(fragile.connects.filter((id) => id === workload.volumeId).length, 2);
  });

  test('a connection that was lost beneath a workload is told, and made again once that has ended', async () => {
    await using workload = await newWorkload();
    await workload.stage();
    await workload.publish();
    fragile.broken.set(workload.volumeId, 'lost');
    assert.deepEqual((await conditionOf(workload)).abnormal, true);
    await assert.rejects(workload.stage(), /FAILED_PRECONDITION: .* is published at .* over a connection that is over/);
    await assert.rejects(workload.publish({ target_path: `${workload.targetPath}-2` }), /FAILED_PRECONDITION/);
    await assert.rejects(workload.publish(), /FAILED_PRECONDITION/, 'what is mounted is of the lost connection');
    const growth = { volume_id: workload.volumeId, volume_path: workload.targetPath };
    await driver.refused('NodeExpandVolume', growth, 'UNAVAILABLE', /broke/);
    await workload.unpublish();
    await workload.stage();
    await workload.publish();
    assert.equal((await conditionOf(workload)).abnormal, false);
  });

  test('a connection that the kernel is making again is waited for, and nothing is taken away', async () => {
    await using workload = await newWorkload();
    await workload.stage();
    await workload.publish();
    fragile.broken.set(workload.volumeId, 'waiting');
    assert.match((await conditionOf(workload)).message, /connecting again/);
    await assert.rejects(workload.stage(), /UNAVAILABLE: .*connecting again/);
    await assert.rejects(workload.publish(), /UNAVAILABLE/);
    fragile.broken.delete(workload.volumeId);
    await workload.stage();
    await workload.publish();
    assert.equal(fragile.connects.filter((id) => id === workload.volumeId).length, 1);
  });

  test('another volume at a target path is not taken for this one', async () => {
    await using workload = await newWorkload();
    await using other = await newWorkload();
    for (const each of [workload, other]) await each.stage();
    await workload.publish();
    await run('umount', [workload.targetPath]);
    await other.publish({ target_path: workload.targetPath });
    await assert.rejects(workload.publish(), /FAILED_PRECONDITION: Something else is mounted/);
    await other.unpublish(workload.targetPath);
  });

  test('a record that cannot be read is told, with the file that it is in', async () => {
    await using workload = await newWorkload();
    await workload.stage();
    const file = join(driver.directory, 'state', `${workload.volumeId}.json`);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(0, 20));
    await assert.rejects(workload.publish(), new RegExp(`INTERNAL: .*${file}`));
    await writeFile(file, text);
  });
});
