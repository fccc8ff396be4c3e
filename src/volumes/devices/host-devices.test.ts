import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { until } from '../../../test/support/wait.ts';
import type { NodeVolume } from '../node-volumes.ts';
import { createDeviceLinks } from './device-mapper/device-links.ts';
import { linkNames } from './device-mapper/names.ts';
import { TestDeviceMapper } from './device-mapper/test-dmsetup.ts';
import { HostDevices } from './host-devices.ts';
import { device } from './test-devices.ts';
import { volumeSerial } from './volume-serial.ts';

const volumeId = 'vol-3106013a-0000-7000-8000-000000000001';
const volume: NodeVolume = { volumeId, uuids: [volumeId.slice(4)], generation: 1, isWanted: true };
const { name } = linkNames(volumeId);
const disk = device({ name: 'vdb', serial: volumeSerial(volumeId), sizeBytes: 4_194_304n });

function machine() {
  const mapper = new TestDeviceMapper();
  const { run, numberAt } = mapper;
  const told = new Map<string, unknown>();
  const problems: unknown[] = [];
  const devices = new HostDevices({
    links: createDeviceLinks({ run, numberAt, isStillThere: async () => true }),
    timeoutMs: 10_000,
    tell: (section, data) => told.set(section, data),
    onProblem: (error) => problems.push(error),
  });
  return { mapper, devices, told, problems };
}

describe('the devices of a host', () => {
  it('get their names when both the disk and the wish are there, and lose them with the wish', async () => {
    const { mapper, devices, told, problems } = machine();
    devices.observed([disk]);
    assert.deepEqual([...mapper.devices.keys()], []);
    devices.wanted([volume]);
    await until('the link', () => mapper.devices.has(name));
    await until('the report', () => JSON.stringify(told.get('links') ?? '').includes('"linked"'));
    devices.wanted([{ ...volume, isWanted: false }]);
    await until('no link', () => !mapper.devices.has(name));
    assert.deepEqual(problems, []);
  });

  it('that were released get their names back when the detach was refused, though the server says what it said before', async () => {
    const { mapper, devices } = machine();
    devices.observed([disk]);
    devices.wanted([volume]);
    await until('the link', () => mapper.devices.has(name));
    await devices.release(volumeId, AbortSignal.timeout(5_000));
    assert.equal(mapper.devices.has(name), false);
    devices.wanted([volume]);
    await until('the link again', () => mapper.devices.has(name));
  });

  it('that are open are not released', async () => {
    const { mapper, devices } = machine();
    devices.observed([disk]);
    devices.wanted([volume]);
    await until('the link', () => mapper.devices.has(name));
    mapper.devices.get(name)!.open = 1;
    const release = devices.release(volumeId, AbortSignal.timeout(5_000));
    await assert.rejects(release, { kind: 'conflict', details: { reason: 'in_use', device: name } });
    assert.equal(mapper.devices.has(name), true);
  });
});
