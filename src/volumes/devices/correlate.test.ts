import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type KnownVolume, correlate } from './correlate.ts';
import { device } from './test-devices.ts';
import { volumeSerial } from './volume-serial.ts';

const uuidA = '3106013a-6595-4b61-8af1-000000000001';
const uuidB = 'b3bb9310-1b59-4f62-97e8-000000000002';
const a: KnownVolume = { volumeId: 'vol-a', uuids: [uuidA] };
const b: KnownVolume = { volumeId: 'vol-b', uuids: [uuidB] };
const digits = (uuid: string) => uuid.replaceAll('-', '');

const matched = (...args: Parameters<typeof correlate>) =>
  correlate(...args).matches.map((match) => `${match.volumeId} ${match.device.name} ${match.by}`);
const doubted = (...args: Parameters<typeof correlate>) =>
  correlate(...args).doubts.map((doubt) => `${doubt.reason} ${doubt.devices.join()} ${doubt.volumeIds.join()}`);

describe('a device is a volume', () => {
  const forms: readonly [what: string, form: object, by: 'uuid' | 'serial'][] = [
    ['by the UUID of its NVMe namespace', { uuid: uuidA.toUpperCase() }, 'uuid'],
    ['by a worldwide id with that UUID', { wwid: `uuid.${uuidA}` }, 'uuid'],
    ['by the NGUID that stands in for a UUID', { uuid: uuidA, nguid: uuidA }, 'uuid'],
    ['by a whole UUID as SCSI serial', { serial: uuidA }, 'uuid'],
    ['by a whole UUID without hyphens', { serial: digits(uuidA) }, 'uuid'],
    ['by the CloudStack serial', { serial: '3106013a65954b618af1' }, 'serial'],
    ['by the OpenStack serial', { serial: '3106013a-6595-4b61-8' }, 'serial'],
    ['by the name of the OpenStack link', { serial: 'virtio-3106013a-6595-4b61-8' }, 'serial'],
    ['by the serial of Holdfast', { serial: volumeSerial('vol-a') }, 'serial'],
    [
      'by a serial, though the NGUID shown as UUID is the maker’s',
      { serial: volumeSerial('vol-a'), uuid: uuidB.replace('b3', 'c3'), nguid: uuidB.replace('b3', 'c3') },
      'serial',
    ],
  ];
  for (const [what, form, by] of forms) {
    test(what, () => {
      assert.deepEqual(matched([device({ name: 'x', ...form })], [b, a]), [`vol-a x ${by}`]);
    });
  }

  test('and not by less than a whole form', () => {
    const serials = ['3106013a65954b618af', '3106013a65954b618af10', '3106013a', 'vol-a', '', '0'.repeat(32)];
    const devices = serials.map((serial, at) => device({ name: `vd${at}`, serial }));
    const zeros = { volumeId: 'vol-0', uuids: ['00000000-0000-0000-0000-000000000000', 'not a uuid'] };
    assert.deepEqual(correlate(devices, [a, b, zeros]), { matches: [], doubts: [] });
  });
});

describe('a doubt is told, and nothing is matched', () => {
  const short = '3106013a65954b618af1';
  const twin: KnownVolume = { volumeId: 'vol-twin', uuids: [uuidA.replace(/1$/, '9')] };

  test('two devices with one serial', () => {
    const devices = [device({ name: 'vdb', serial: short }), device({ name: 'vdc', serial: short })];
    assert.deepEqual(matched(devices, [a, b]), []);
    assert.deepEqual(doubted(devices, [a, b]), ['several_devices vdb,vdc vol-a']);
  });

  test('two volumes that share the first 20 characters', () => {
    const devices = [device({ name: 'vdb', serial: short })];
    assert.deepEqual(matched(devices, [a, twin]), []);
    assert.deepEqual(doubted(devices, [a, twin]), ['several_volumes vdb vol-a,vol-twin']);
    assert.deepEqual(matched([device({ name: 'sda', serial: uuidA }), ...devices], [a, twin]), ['vol-a sda uuid']);
  });

  test('a UUID against a serial', () => {
    for (const uuid of [uuidB, '11111111-1111-4111-8111-111111111111']) {
      const devices = [device({ name: 'nvme0n1', uuid, serial: volumeSerial('vol-a') })];
      assert.deepEqual(matched(devices, [a, b]), []);
      assert.deepEqual(doubted(devices, [a, b]), ['contradiction nvme0n1 vol-a']);
    }
  });

  test('two namespaces of one NVMe controller share its serial', () => {
    const serial = volumeSerial('vol-a');
    const devices = [device({ name: 'nvme0n1', serial }), device({ name: 'nvme0n2', serial })];
    assert.deepEqual(doubted(devices, [a]), ['several_devices nvme0n1,nvme0n2 vol-a']);
  });
});

describe('bugs of others that are none here', () => {
  test('sizes and their units play no part: the same disk matches at any size', () => {
    for (const sizeBytes of [0n, 1n, 3n * 2n ** 29n, 2n ** 60n]) {
      assert.deepEqual(matched([device({ name: 'vdb', serial: uuidA, sizeBytes })], [a]), ['vol-a vdb uuid']);
    }
  });

  test('disks of one size without identities are never mixed up, for none is matched', () => {
    const devices = ['vdb', 'vdc'].map((name) => device({ name, sizeBytes: 2n ** 30n }));
    assert.deepEqual(correlate(devices, [a, b]), { matches: [], doubts: [] });
  });

  test('a letter that was reused is the volume whose disk has it now', () => {
    const before = [device({ name: 'vdb', majorMinor: '254:16', serial: uuidA })];
    const after = [device({ name: 'vdb', majorMinor: '254:16', serial: uuidB })];
    assert.deepEqual(matched(before, [a, b]), ['vol-a vdb uuid']);
    assert.deepEqual(matched(after, [a, b]), ['vol-b vdb uuid']);
  });
});

describe('whatever there is', () => {
  const known = fc.uniqueArray(fc.uuid(), { maxLength: 6 }).map((uuids) =>
    // Some share their first 20 digits with another.
    uuids.flatMap((uuid, at) => {
      const volume = { volumeId: `vol-${uuid}`, uuids: [uuid] };
      const near = `${uuid.slice(0, 30)}ffffff`;
      return at % 3 === 0 && near !== uuid ? [volume, { volumeId: `vol-${near}`, uuids: [near] }] : [volume];
    }),
  );
  const scene = known.chain((volumes) => {
    const identities = volumes.flatMap(({ volumeId, uuids: [uuid = ''] }) => [
      { uuid },
      { serial: uuid },
      { serial: digits(uuid).slice(0, 20) },
      { serial: uuid.slice(0, 20) },
      { serial: volumeSerial(volumeId) },
    ]);
    const identity = fc.constantFrom(...identities, { serial: 'foreign' }, {});
    const devices = fc.array(fc.tuple(identity, fc.bigInt({ min: 0n, max: 3n })), { maxLength: 10 });
    return fc.tuple(fc.constant(volumes), devices);
  });

  test('a volume has at most one device and a device at most one volume, the order is nothing, nor size and letter', () => {
    fc.assert(
      fc.property(scene, ([volumes, given]) => {
        const at = (letter: (at: number) => string, scale: bigint) =>
          given.map(([identity, size], index) =>
            device({ ...identity, name: letter(index), majorMinor: `254:${index}`, sizeBytes: size * scale }),
          );
        const pairs = (devices: ReturnType<typeof at>, among: readonly KnownVolume[]) =>
          correlate(devices, among)
            .matches.map((match) => `${match.device.majorMinor} ${match.volumeId}`)
            .sort();
        const found = pairs(
          at((index) => `vd${index}`, 1n),
          volumes,
        );
        assert.equal(new Set(found.map((pair) => pair.split(' ')[0])).size, found.length);
        assert.equal(new Set(found.map((pair) => pair.split(' ')[1])).size, found.length);
        assert.deepEqual(pairs(at((index) => `sd${99 - index}`, 7n).toReversed(), volumes.toReversed()), found);
      }),
    );
  });

  test('every match is borne by the identity, and every bearer is matched or doubted', () => {
    fc.assert(
      fc.property(scene, ([volumes, given]) => {
        const devices = given.map(([identity], index) => device({ ...identity, name: `vd${index}` }));
        const { matches, doubts } = correlate(devices, volumes);
        const told = new Set([...matches.map((match) => match.device.name), ...doubts.flatMap((each) => each.devices)]);
        for (const each of devices) {
          const text = digits(each.uuid ?? each.serial ?? '');
          const bearers = volumes.filter(
            ({ volumeId, uuids: [uuid = ''] }) =>
              text === volumeSerial(volumeId) ||
              [digits(uuid), digits(uuid).slice(0, 20), digits(uuid.slice(0, 20))].includes(text),
          );
          assert.equal(told.has(each.name), bearers.length > 0);
          const match = matches.find(({ device: { name } }) => name === each.name);
          if (match !== undefined)
            assert.deepEqual(
              [match.volumeId],
              bearers.map(({ volumeId }) => volumeId),
            );
        }
      }),
    );
  });

  test('serials of Holdfast are 20 plain characters, and ids made in one millisecond have different ones', () => {
    const ids = Array.from({ length: 4_096 }, (_, at) => `vol-01930000-0000-7000-8000-${String(at).padStart(12, '0')}`);
    const serials = ids.map(volumeSerial);
    assert.ok(serials.every((serial) => /^hf[0-9a-z]{18}$/.test(serial)));
    assert.equal(new Set(serials).size, ids.length);
    assert.equal(new Set(ids.map((id) => digits(id.slice(4)).slice(0, 20))).size, 1);
  });
});
