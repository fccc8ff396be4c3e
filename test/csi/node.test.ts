/** What a node keeps beyond csi-sanity, with real devices, filesystems and mounts. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { ConnectionTarget, Connector } from '../../src/csi/node/connector.ts';
import { LinuxSystem } from '../../src/csi/node/linux-system.ts';
import { mountAt } from '../../src/csi/node/mounts.ts';
import { StageRecords } from '../../src/csi/node/stage-records.ts';
import { type Driver, capability, mebibyte, startDriver, unique, volumeBytes } from './driver.ts';
import { LoopConnector } from './loop-connector.ts';
import { withMounts } from './with-mounts.ts';
import { workloadOf } from './workload.ts';

const run = promisify(execFile);

await withMounts('the CSI node', () => {
  let driver: Driver;
  before(async () => void (driver = await startDriver()));
  after(() => driver[Symbol.asyncDispose]());

  const newVolume = async (more: object = {}) => (await driver.createVolume(unique('node'), more)).volume_id;

  test('a clone has the files of its source, beside which it is used, and the size that was asked for', async () => {
    const access = capability('SINGLE_NODE_WRITER', { mount: { fs_type: 'xfs' } });
    const sized = (sizeBytes: number) => ({
      volume_capabilities: [access],
      capacity_range: { required_bytes: sizeBytes },
    });
    const volume_id = await newVolume(sized(320 * mebibyte));
    await using source = await workloadOf(driver, volume_id, access);
    await source.stage();
    await source.publish();
    await writeFile(join(source.targetPath, 'kept'), 'the bytes');
    await run('sync', ['-f', source.targetPath]);
    const volume_content_source = { volume: { volume_id } };
    const cloneId = await newVolume({ volume_content_source, ...sized(640 * mebibyte) });
    await using clone = await workloadOf(driver, cloneId, access);
    await clone.stage();
    await clone.publish();
    assert.equal(await readFile(join(clone.targetPath, 'kept'), 'utf8'), 'the bytes');
    const request = { volume_id: cloneId, volume_path: clone.targetPath };
    const { usage, volume_condition } = await driver.call('NodeGetVolumeStats', request);
    assert.ok(Number(usage[0].total) > 500 * mebibyte, 'the filesystem grew with the device');
    assert.equal(volume_condition.abnormal, false);
  });

  test('an XFS filesystem grows while it is used', async () => {
    const access = capability('SINGLE_NODE_WRITER', { mount: { fs_type: 'xfs', mount_flags: ['noatime'] } });
    const range = { required_bytes: 320 * mebibyte };
    const volume_id = await newVolume({ volume_capabilities: [access], capacity_range: range });
    await using workload = await workloadOf(driver, volume_id, access);
    await workload.stage();
    await workload.publish();
    const capacity_range = { required_bytes: 640 * mebibyte };
    await driver.call('ControllerExpandVolume', { volume_id, capacity_range });
    const request = { volume_id, volume_path: workload.targetPath, capacity_range };
    await driver.call('NodeExpandVolume', request);
    const { usage } = await driver.call('NodeGetVolumeStats', request);
    assert.ok(Number(usage[0].total) > 500 * mebibyte);
    const mount = await mountAt(await new LinuxSystem().mounts(), workload.stagingPath);
    assert.ok(mount?.options.includes('noatime'));
  });

  test('a block volume is the device itself, and its bytes are the volume’s', async () => {
    const access = capability('SINGLE_NODE_WRITER', { block: {} });
    const volume_id = await newVolume({ volume_capabilities: [access] });
    const { location } = await driver.holdfast.volume(volume_id);
    await using workload = await workloadOf(driver, volume_id, access);
    await workload.stage();
    await workload.publish();
    assert.ok((await stat(workload.targetPath)).isBlockDevice());
    const device = await open(workload.targetPath, 'r+');
    await device.write('block bytes', mebibyte);
    await device.sync();
    await device.close();
    const image = await open(location!, 'r');
    const { buffer } = await image.read(Buffer.alloc(11), 0, 11, mebibyte);
    await image.close();
    assert.equal(buffer.toString(), 'block bytes');
    const request = { volume_id, volume_path: workload.targetPath };
    const { usage } = await driver.call('NodeGetVolumeStats', request);
    assert.equal(usage[0].total, String(volumeBytes));
  });

  test('what is on a volume is never formatted away', async () => {
    const volume_id = await newVolume();
    const { location } = await driver.holdfast.volume(volume_id);
    await using workload = await workloadOf(driver, volume_id);
    const common = { volume_id, staging_target_path: workload.stagingPath, volume_capability: capability() };
    const request = { ...common, publish_context: workload.publishContext };
    const image = await open(location!, 'r+');
    await image.write('bytes that no program knows', 512 * 1024);
    await image.sync();
    await driver.refused('NodeStageVolume', request, 'FAILED_PRECONDITION', /no filesystem; it is left/);
    const { buffer } = await image.read(Buffer.alloc(5), 0, 5, 512 * 1024);
    await image.close();
    assert.equal(buffer.toString(), 'bytes');
    await workload.unstage();
    await run('mkfs.ext4', ['-q', '-F', location!]);
    const xfs = capability('SINGLE_NODE_WRITER', { mount: { fs_type: 'xfs' } });
    await driver.refused(
      'NodeStageVolume',
      { ...request, volume_capability: xfs },
      'FAILED_PRECONDITION',
      /ext4 on it/,
    );
  });

  test('read-only targets cannot be written, and another mode at the same path is refused', async () => {
    await using workload = await workloadOf(driver, await newVolume());
    await workload.stage();
    await workload.publish({ readonly: true });
    await assert.rejects(writeFile(join(workload.targetPath, 'x'), 'x'), { code: 'EROFS' });
    await assert.rejects(workload.publish(), /ALREADY_EXISTS/);
  });

  test('a second workload is refused where the volume is for one, and the device is not taken from beneath any', async () => {
    const access = capability('SINGLE_NODE_SINGLE_WRITER');
    await using workload = await workloadOf(driver, await newVolume({ volume_capabilities: [access] }), access);
    await workload.stage();
    await workload.publish();
    await assert.rejects(workload.publish({ target_path: `${workload.targetPath}-2` }), /FAILED_PRECONDITION/);
    await assert.rejects(workload.unstage(), /FAILED_PRECONDITION.*still published/);
    assert.ok((await stat(join(workload.targetPath, 'lost+found'))).isDirectory());
  });

  test('a folder with content of its own is not removed', async () => {
    await using workload = await workloadOf(driver, await newVolume());
    await workload.stage();
    await workload.publish();
    await workload.unpublish();
    await run('mkdir', ['-p', workload.targetPath]);
    await writeFile(join(workload.targetPath, 'mine'), 'mine');
    await assert.rejects(workload.unpublish());
    assert.equal(await readFile(join(workload.targetPath, 'mine'), 'utf8'), 'mine');
    await run('rm', [join(workload.targetPath, 'mine')]);
  });

  test('the intent stands before the act, so that a stage which broke off is taken back', async () => {
    const connector: { now: Connector | null } = { now: null };
    const current = () => connector.now!;
    const breaking: Connector = {
      find: (target) => current().find(target),
      link: (target) => current().link(target),
      disconnect: (target) => current().disconnect(target),
      refresh: (target, device) => current().refresh(target, device),
      connect: async (target: ConnectionTarget, note) => {
        await current().connect(target, note);
        throw new Error('the process ends here');
      },
    };
    await using own = await startDriver({ connectors: { none: breaking } });
    connector.now = new LoopConnector(own.holdfast.client);
    const { volume_id } = await own.createVolume('broken-off');
    const workload = await workloadOf(own, volume_id);
    await assert.rejects(workload.stage(), /the process ends here/);
    const record = await new StageRecords(join(own.directory, 'state')).read(volume_id);
    assert.equal(record?.stagingPath, workload.stagingPath);
    assert.notEqual(await current().find(record!), null, 'the device was connected');
    await workload.unstage();
    assert.equal(await current().find(record!), null);
    await workload[Symbol.asyncDispose]();
  });
});
