import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { device } from '../test-devices.ts';
import { createDeviceLinks } from './device-links.ts';
import { linkNames } from './names.ts';
import { TestDeviceMapper } from './test-dmsetup.ts';

const volumeId = 'vol-01930000-0000-7000-8000-00000000000a';
const { name, uuid } = linkNames(volumeId);
const disk = device({ name: 'vdb', majorMinor: '254:16', sizeBytes: 2n ** 26n });
const table = '0 131072 linear 254:16 0';
const signal = () => AbortSignal.timeout(10_000);

function newScene(isStillThere: () => boolean = () => true) {
  const mapper = new TestDeviceMapper();
  const { run, numberAt } = mapper;
  return { mapper, links: createDeviceLinks({ run, numberAt, isStillThere: async () => isStillThere() }) };
}

const isKind = (kind: string, reason?: string) => (error: unknown) =>
  error instanceof HoldfastError && error.kind === kind && (reason === undefined || error.details['reason'] === reason);

describe('the link of a volume', () => {
  test('is made, and kept when it is right', async () => {
    const { mapper, links } = newScene();
    assert.deepEqual(await links.ensureLink(volumeId, disk, signal()), { name, path: `/dev/mapper/${name}` });
    assert.deepEqual(mapper.changes, [`create ${name}`, `load ${name}`, `resume ${name}`]);
    assert.equal(mapper.devices.get(name)?.table, table);
    await links.ensureLink(volumeId, disk, signal());
    assert.equal(mapper.changes.length, 3);
    const [link] = await links.listLinks(signal());
    assert.deepEqual([link?.name, link?.uuid, link?.openCount], [name, uuid, 0]);
  });

  test('grows with its device, and is switched to another under an open holder', async () => {
    const { mapper, links } = newScene();
    mapper.put(name, uuid, table, { open: 1 });
    await links.ensureLink(volumeId, { ...disk, sizeBytes: 2n ** 27n }, signal());
    assert.equal(mapper.devices.get(name)?.table, '0 262144 linear 254:16 0');
    await links.ensureLink(volumeId, { ...disk, majorMinor: '254:32' }, signal());
    assert.equal(mapper.devices.get(name)?.table, '0 131072 linear 254:32 0');
  });

  test('is removed, and what is absent is removed', async () => {
    const { mapper, links } = newScene();
    mapper.put(name, uuid, table);
    assert.equal(await links.removeLink(volumeId, { mayDefer: false }, signal()), 'removed');
    assert.equal(mapper.devices.size, 0);
    assert.equal(await links.removeLink(linkNames(volumeId), { mayDefer: false }, signal()), 'removed');
  });

  test('stays when it is open, or goes with its last holder; a link that is made again stays for good', async () => {
    const { mapper, links } = newScene();
    mapper.put(name, uuid, table, { open: 1 });
    await assert.rejects(links.removeLink(volumeId, { mayDefer: false }, signal()), isKind('conflict', 'open'));
    assert.equal(await links.removeLink(volumeId, { mayDefer: true }, signal()), 'deferred');
    assert.equal(mapper.devices.get(name)?.isDeferred, true);
    await links.ensureLink(volumeId, disk, signal());
    assert.equal(mapper.devices.get(name)?.isDeferred, false);
  });

  test('that is opened at the last moment is not reported as removed', async () => {
    const { mapper, links } = newScene();
    const link = mapper.put(name, uuid, table);
    mapper.before = (command) => {
      if (command === 'remove') link.open = 1;
    };
    await assert.rejects(links.removeLink(volumeId, { mayDefer: false }, signal()), isKind('conflict', 'open'));
  });

  test('fails every access once it is cut', async () => {
    const { mapper, links } = newScene();
    mapper.put(name, uuid, table, { open: 1 });
    await links.cutLink({ name, uuid }, signal());
    await links.cutLink({ name, uuid }, signal());
    assert.deepEqual(mapper.changes, [`wipe_table ${name}`]);
    await links.ensureLink(volumeId, disk, signal());
    assert.equal(mapper.devices.get(name)?.table, table);
  });
});

describe('bugs of others that are none here', () => {
  test('a name that exists and still points at another disk is never success', async () => {
    const { mapper, links } = newScene();
    mapper.put(name, 'BLK-else', '0 131072 linear 254:32 0');
    await assert.rejects(links.ensureLink(volumeId, disk, signal()), isKind('conflict', 'foreign_uuid'));
    await assert.rejects(links.removeLink(volumeId, { mayDefer: true }, signal()), isKind('conflict', 'foreign_uuid'));
    await links.cutLink({ name, uuid }, signal());
    assert.deepEqual(mapper.changes, []);
  });

  test('nor when it comes to exist while it is made', async () => {
    const { mapper, links } = newScene();
    mapper.before = (command) => {
      if (command === 'create' && mapper.devices.size === 0) mapper.put(name, uuid, '0 131072 linear 254:32 0');
    };
    await links.ensureLink(volumeId, disk, signal());
    assert.equal(mapper.devices.get(name)?.table, table);
  });

  test('a letter that went to another disk between observation and link is noticed before the link is used', async () => {
    const { mapper, links } = newScene(() => false);
    await assert.rejects(links.ensureLink(volumeId, disk, signal()), isKind('conflict', 'device_changed'));
    assert.equal(mapper.devices.size, 0);
    mapper.put(name, uuid, '0 131072 linear 254:32 0', { open: 1 });
    await assert.rejects(links.ensureLink(volumeId, disk, signal()), isKind('conflict', 'device_changed'));
    assert.equal(mapper.devices.get(name)?.table, '0 131072 linear 254:32 0');
    assert.equal(mapper.devices.get(name)?.loaded, null);
  });

  test('a path that leads to another device than the link is put right', async () => {
    const { mapper, links } = newScene();
    mapper.put(name, uuid, table);
    for (const node of [null, '8:16']) {
      mapper.nodes.set(name, node);
      await links.ensureLink(volumeId, disk, signal());
      assert.equal(mapper.nodes.has(name), false);
    }
    assert.deepEqual(mapper.changes, [`mknodes ${name}`, `mknodes ${name}`]);
  });
});

describe('where no links can be made', () => {
  const errors: readonly (readonly [stderr: string, kind: string, reason: string | undefined])[] = [
    ['/dev/mapper/control: open failed: Permission denied\nCommand failed.\n', 'unavailable', 'permission'],
    ['/dev/mapper/control: open failed: No such device\n', 'unavailable', 'no_device_mapper'],
    ['device-mapper: reload ioctl on x failed: Invalid argument\n', 'backend', undefined],
  ];
  for (const [stderr, kind, reason] of errors) {
    test(`it is said: ${reason ?? kind}`, async () => {
      const links = createDeviceLinks({ run: async () => ({ status: 1, stdout: '', stderr }) });
      await assert.rejects(links.ensureLink(volumeId, disk, signal()), isKind(kind, reason));
      const health = await links.linkHealth(signal());
      assert.equal(health.isAvailable, false);
      assert.match(health.detail, /^[A-Z].*\w\W?$/i);
    });
  }

  test('and where they can', async () => {
    const { links } = newScene();
    const detail = 'Links are made by dmsetup 1.02.185 and device-mapper 4.47.0.';
    assert.deepEqual(await links.linkHealth(signal()), { isAvailable: true, detail });
  });
});
