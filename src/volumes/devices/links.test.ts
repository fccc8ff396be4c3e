import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type KnownVolume, correlate } from './correlate.ts';
import { createDeviceLinks } from './device-mapper/device-links.ts';
import { linkNames } from './device-mapper/names.ts';
import { TestDeviceMapper } from './device-mapper/test-dmsetup.ts';
import { LinkKeeper } from './link-keeper.ts';
import type { ObservedDevice } from './observe.ts';
import { device } from './test-devices.ts';
import { volumeSerial } from './volume-serial.ts';

const [a, b, c] = ['a', 'b', 'c'].map((digit) => `vol-01930000-0000-7000-8000-00000000000${digit}`) as [
  string,
  string,
  string,
];
const names = [a, b, c].map(linkNames);
const tableTo = (majorMinor: string) => `0 2097152 linear ${majorMinor} 0`;

const disk = (at: number, volumeId: string | null): ObservedDevice =>
  device({
    name: `vd${'abcdefgh'[at]}`,
    majorMinor: `254:${at * 16}`,
    serial: volumeId === null ? null : volumeSerial(volumeId),
  });
const nbd = (at: number, exportName: string | null): ObservedDevice =>
  device({
    name: `nbd${at}`,
    majorMinor: `43:${at * 32}`,
    sizeBytes: exportName === null ? 0n : 2n ** 30n,
    nbd: { pid: exportName === null ? null : 7, exportName },
  });

function newScene() {
  const mapper = new TestDeviceMapper();
  const { run, numberAt } = mapper;
  const keeper = new LinkKeeper(createDeviceLinks({ run, numberAt, isStillThere: async () => true }));
  const pass = (wanted: readonly string[], devices: readonly ObservedDevice[], known?: readonly KnownVolume[]) => {
    const correlation = correlate(devices, known ?? [a, b, c].map((volumeId) => ({ volumeId, uuids: [] })));
    const task = { wanted: wanted.map((volumeId) => ({ volumeId })), devices, correlation };
    return keeper.pass(task, AbortSignal.timeout(10_000));
  };
  const tables = () => Object.fromEntries([...mapper.devices].map(([name, { table }]) => [name, table]));
  return { mapper, pass, tables };
}

const states = (pass: { readonly links: readonly { readonly volumeId: string; readonly state: string }[] }) =>
  pass.links.map(({ state }) => state);

describe('keeping links', () => {
  test('makes those that are wanted, and removes those that are not, each once', async () => {
    const { mapper, pass, tables } = newScene();
    const first = await pass([a, b], [disk(1, a), disk(2, null)]);
    assert.deepEqual(first.links, [
      { volumeId: a, name: a, devicePath: `/dev/mapper/${a}`, state: 'linked', reason: null },
      {
        volumeId: b,
        name: b,
        devicePath: `/dev/mapper/${b}`,
        state: 'waiting',
        reason: 'No device of this volume is on this machine.',
      },
    ]);
    assert.deepEqual(tables(), { [a]: tableTo('254:16') });
    const done = mapper.changes.length;
    assert.deepEqual(await pass([a, b], [disk(1, a), disk(2, null)]), first);
    assert.equal(mapper.changes.length, done);
    assert.deepEqual(await pass([], [disk(1, a)]), { links: [], leftovers: [], cut: [] });
    assert.deepEqual(tables(), {});
  });

  test('leaves what is open and not wanted, and says so', async () => {
    const { mapper, pass, tables } = newScene();
    mapper.put(a, names[0]!.uuid, tableTo('254:16'), { open: 1 });
    const { leftovers } = await pass([], [disk(1, a)]);
    assert.deepEqual(
      leftovers.map(({ name }) => name),
      [a],
    );
    assert.match(leftovers[0]!.reason, /open \(1\)/);
    assert.deepEqual(tables(), { [a]: tableTo('254:16') });
  });

  test('touches nothing that is not ours', async () => {
    const { mapper, pass, tables } = newScene();
    mapper.put('swap', 'LVM-x', tableTo('254:16'));
    mapper.put(b, '', tableTo('254:16'));
    const { links } = await pass([b], [disk(1, b)]);
    assert.deepEqual([links[0]?.state, /not ours/.test(links[0]?.reason ?? '')], ['failed', true]);
    assert.deepEqual(tables(), { swap: tableTo('254:16'), [b]: tableTo('254:16') });
  });

  test('one that fails stops no other', async () => {
    const { mapper, pass } = newScene();
    mapper.put(a, 'foreign', tableTo('8:0'));
    assert.deepEqual(states(await pass([a, b], [disk(1, a), disk(2, b)])), ['failed', 'linked']);
  });

  test('tells a doubt, and leaves a link in use alone for it', async () => {
    const { mapper, pass, tables } = newScene();
    mapper.put(a, names[0]!.uuid, tableTo('254:16'), { open: 1 });
    const twice = await pass([a], [disk(1, a), disk(2, a)]);
    assert.deepEqual([states(twice), twice.cut], [['doubt'], []]);
    const nameless = await pass([a], [disk(1, null)]);
    assert.deepEqual([states(nameless), nameless.cut], [['doubt'], []]);
    assert.deepEqual(tables(), { [a]: tableTo('254:16') });
  });
});

describe('bugs of others that are none here', () => {
  test('the name is the same after each attach, whichever letter the disk got', async () => {
    const { pass, tables } = newScene();
    for (const at of [1, 3, 2]) {
      const { links } = await pass([a], [disk(at, a)]);
      assert.deepEqual([links[0]?.name, links[0]?.state], [a, 'linked']);
      assert.deepEqual(tables(), { [a]: tableTo(`254:${at * 16}`) });
    }
  });

  test('an old name that points at another’s disk by now is made to fail, also while it is open', async () => {
    for (const open of [0, 1]) {
      const { mapper, pass, tables } = newScene();
      mapper.put(a, names[0]!.uuid, tableTo('254:16'), { open });
      const { links, cut } = await pass([a, b], [disk(1, b)]);
      assert.deepEqual([links.map(({ state }) => state), cut], [['waiting', 'linked'], [a]]);
      assert.deepEqual(tables(), { [a]: '0 8 error', [b]: tableTo('254:16') });
      assert.deepEqual(states(await pass([a, b], [disk(1, b), disk(2, a)])), ['linked', 'linked']);
      assert.deepEqual(tables(), { [a]: tableTo('254:32'), [b]: tableTo('254:16') });
    }
  });

  test('and is told when it cannot be', async () => {
    const { mapper, pass } = newScene();
    mapper.put(a, names[0]!.uuid, tableTo('254:16'), { open: 1 });
    mapper.fails = 'wipe_table';
    const { links, leftovers, cut } = await pass([a, b], [disk(1, b)]);
    assert.deepEqual([links.map(({ state }) => state), cut], [['waiting', 'failed'], []]);
    assert.match(leftovers[0]?.reason ?? '', /leads to another's disk: dmsetup wipe_table failed/);
    assert.match(links[1]?.reason ?? '', /still points at 254:16/);
  });

  test('two volumes that changed places are both right after one pass', async () => {
    const { mapper, pass, tables } = newScene();
    for (const [at, { name, uuid }] of names.slice(0, 2).entries()) {
      mapper.put(name, uuid, tableTo(`254:${(at + 1) * 16}`), { open: 1 });
    }
    assert.deepEqual(states(await pass([a, b], [disk(1, b), disk(2, a)])), ['linked', 'linked']);
    assert.deepEqual(tables(), { [a]: tableTo('254:32'), [b]: tableTo('254:16') });
  });

  test('a link on an NBD device fails as soon as that is connected to nothing, to another or to an old export', async () => {
    const known = [{ volumeId: a, uuids: [], generation: 2 }];
    for (const exportName of [null, `${b}.g1`, `${a}.g1`, 'else']) {
      const { mapper, pass, tables } = newScene();
      mapper.put(a, names[0]!.uuid, tableTo('43:0'), { open: 1 });
      const right = await pass([a], [nbd(0, `${a}.g2`)], known);
      assert.deepEqual([states(right), right.cut], [['linked'], []]);
      const { links, cut } = await pass([a], [nbd(0, exportName)], known);
      assert.notEqual(links[0]?.state, 'linked');
      assert.deepEqual([cut, tables()], [[a], { [a]: '0 8 error' }]);
    }
  });
});

test('whatever there was, after one pass each link leads to its volume, or fails, or is in doubt', async () => {
  const volume = fc.constantFrom(a, b, c);
  const place = fc.record({ volumeId: fc.option(volume), isNbd: fc.boolean() });
  const places = fc.array(place, { maxLength: 4 });
  const before = fc.uniqueArray(fc.record({ volumeId: volume, at: fc.nat(3), isNbd: fc.boolean(), open: fc.nat(1) }), {
    selector: ({ volumeId }) => volumeId,
  });
  await fc.assert(
    fc.asyncProperty(places, before, fc.subarray([a, b, c]), async (given, links, wanted) => {
      const { mapper, pass } = newScene();
      const devices = given.map(({ volumeId, isNbd }, at) =>
        isNbd ? nbd(at, volumeId === null ? null : `${volumeId}.g1`) : disk(at, volumeId),
      );
      for (const { volumeId, at, isNbd, open } of links) {
        mapper.put(volumeId, linkNames(volumeId).uuid, tableTo(isNbd ? `43:${at * 32}` : `254:${at * 16}`), { open });
      }
      const result = await pass(wanted, devices);
      for (const { volumeId, state } of result.links) {
        const bearers = given.filter((each) => each.volumeId === volumeId).length;
        if (bearers === 1) assert.equal(state, 'linked');
        else assert.ok(state === (bearers === 0 ? 'waiting' : 'doubt') || state === 'doubt');
      }
      for (const [name, { table, open }] of mapper.devices) {
        assert.ok(wanted.includes(name) || open > 0);
        const at = devices.findIndex(({ majorMinor }) => table.includes(` ${majorMinor} `));
        const owner = given[at]?.volumeId;
        const isSole = given.filter(({ volumeId }) => volumeId === owner).length === 1;
        if (owner !== undefined && owner !== null && isSole) assert.equal(owner, name);
      }
      assert.equal(result.leftovers.length, [...mapper.devices.keys()].filter((name) => !wanted.includes(name)).length);
    }),
    { numRuns: 300 },
  );
});
