import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { isKind } from '../conformance/suite.ts';
import { type LiveTarget, readTarget } from './live-target.ts';
import { type ConfigStep, buildSteps, leftoverPortSteps, teardownSteps } from './plan.ts';
import { type Subsystem, nqnOf, parseNqn } from './subsystem.ts';
import { carryOut, emptyConfigfs } from './test-configfs.ts';

const hostA = 'nqn.2014-08.org.nvmexpress:uuid:11111111-1111-4111-8111-111111111111';
const hostB = 'nqn.2014-08.org.nvmexpress:uuid:22222222-2222-4222-8222-222222222222';
const nothing: LiveTarget = { subsystems: [], ports: [], hosts: [] };
const wanted: Subsystem = {
  exportId: 'exp-1',
  volumeId: 'vol-1',
  generation: 3,
  serial: '3106013a65953b610af1',
  uuid: '65953b61-0af1-42f6-a1b2-000000000001',
  nguid: '0b0c0d0e-0000-0000-0000-00000000000f',
  devicePath: '/dev/mapper/vol1',
  hosts: [{ nqn: hostA, auth: null }],
  address: { family: 'ipv4', address: '192.0.2.7', service: 4420 },
};
const nqn = 'nqn.2026-01.io.holdfast:exp-1:vol-1:g3';
const ports = { first: 4420, last: 4430 };
const signal = (): AbortSignal => AbortSignal.timeout(10_000);

/** A plan as one word and path a line. */
function outline(steps: readonly ConfigStep[]): string[] {
  return steps.map((step) => `${step.do} ${step.path}${step.do === 'write' ? ` ${step.text}` : ''}`);
}

describe('the plan of an NVMe subsystem', () => {
  test('builds from the inside, and lets hosts in with the last step', () => {
    assert.deepEqual(outline(buildSteps(wanted, nothing)), [
      `mkdir subsystems/${nqn}`,
      `write subsystems/${nqn}/attr_allow_any_host 0`,
      `write subsystems/${nqn}/attr_serial 3106013a65953b610af1`,
      `write subsystems/${nqn}/attr_model Holdfast volume`,
      `mkdir hosts/${hostA}`,
      `link subsystems/${nqn}/allowed_hosts/${hostA}`,
      `mkdir subsystems/${nqn}/namespaces/1`,
      `write subsystems/${nqn}/namespaces/1/device_path /dev/mapper/vol1`,
      `write subsystems/${nqn}/namespaces/1/device_uuid 65953b61-0af1-42f6-a1b2-000000000001`,
      `write subsystems/${nqn}/namespaces/1/device_nguid 0b0c0d0e-0000-0000-0000-00000000000f`,
      `write subsystems/${nqn}/namespaces/1/enable 1`,
      'mkdir ports/4420',
      'write ports/4420/addr_adrfam ipv4',
      'write ports/4420/addr_trtype tcp',
      'write ports/4420/addr_traddr 192.0.2.7',
      'write ports/4420/addr_trsvcid 4420',
      `link ports/4420/subsystems/${nqn}`,
    ]);
  });

  test('what is built is read back, and what is torn down leaves nothing', async () => {
    await using directory = await temporaryDirectory();
    const root = directory.path;
    await emptyConfigfs(root);
    await carryOut(root, buildSteps(wanted, nothing));
    const live = await readTarget(root, signal());
    assert.deepEqual(live, {
      subsystems: [
        {
          nqn,
          allowsAnyHost: false,
          serial: wanted.serial,
          hosts: [hostA],
          namespaces: [
            { id: '1', devicePath: '/dev/mapper/vol1', uuid: wanted.uuid, nguid: wanted.nguid, isEnabled: true },
          ],
        },
      ],
      ports: [
        { id: '4420', transport: 'tcp', family: 'ipv4', address: '192.0.2.7', service: '4420', subsystems: [nqn] },
      ],
      hosts: [hostA],
    });
    assert.throws(() => buildSteps(wanted, live), isKind('conflict'));
    const down = teardownSteps(nqn, live);
    assert.deepEqual(outline(down), [
      `unlink ports/4420/subsystems/${nqn}`,
      'rmdir ports/4420',
      `write subsystems/${nqn}/namespaces/1/enable 0`,
      `rmdir subsystems/${nqn}/namespaces/1`,
      `unlink subsystems/${nqn}/allowed_hosts/${hostA}`,
      `rmdir hosts/${hostA}`,
      `rmdir subsystems/${nqn}`,
    ]);
    await carryOut(root, down);
    assert.deepEqual(await readTarget(root, signal()), nothing);
    assert.deepEqual(teardownSteps(nqn, nothing), []);
  });

  test('1a.12: what was cut off anywhere, building or tearing down, is taken down whole', async () => {
    const up = buildSteps(wanted, nothing);
    for (let built = 0; built <= up.length; built++) {
      for (let removed = 0; removed <= 7; removed += 3) {
        await using directory = await temporaryDirectory();
        await emptyConfigfs(directory.path);
        await carryOut(directory.path, up.slice(0, built));
        const down = teardownSteps(nqn, await readTarget(directory.path, signal()));
        await carryOut(directory.path, down.slice(0, removed));
        await carryOut(directory.path, teardownSteps(nqn, await readTarget(directory.path, signal())));
        const left = await readTarget(directory.path, signal());
        assert.deepEqual(left.subsystems, [], `${built} steps up, ${removed} down`);
        await carryOut(directory.path, leftoverPortSteps(left, ports));
        assert.deepEqual((await readTarget(directory.path, signal())).ports, []);
        // A host without a subsystem lets nobody in; the next build uses it again.
        await carryOut(directory.path, buildSteps(wanted, { ...left, ports: [] }));
        assert.equal((await readTarget(directory.path, signal())).ports[0]?.subsystems.length, 1);
      }
    }
  });

  test('shares hosts with other subsystems, and leaves them what they use', async () => {
    await using directory = await temporaryDirectory();
    const root = directory.path;
    await emptyConfigfs(root);
    const second = {
      ...wanted,
      exportId: 'exp-2',
      volumeId: 'vol-2',
      hosts: [...wanted.hosts, { nqn: hostB, auth: null }],
      address: { ...wanted.address, service: 4422 },
    };
    const third = { ...wanted, exportId: 'exp-3', volumeId: 'vol-3', address: { ...wanted.address, service: 4421 } };
    for (const each of [wanted, second, third]) {
      await carryOut(root, buildSteps(each, await readTarget(root, signal())));
    }
    const live = await readTarget(root, signal());
    assert.deepEqual(
      live.ports.map(({ id, subsystems }) => [id, subsystems.length]),
      [
        ['4420', 1],
        ['4421', 1],
        ['4422', 1],
      ],
    );
    await carryOut(root, teardownSteps(nqnOf(second), live));
    const left = await readTarget(root, signal());
    assert.deepEqual(left.hosts, [hostA]);
    assert.deepEqual(
      left.subsystems.map((each) => parseNqn(each.nqn)?.exportId),
      ['exp-1', 'exp-3'],
    );
    assert.deepEqual(left.ports[0]?.subsystems, [nqn]);
    assert.deepEqual(leftoverPortSteps(left, ports), []);
  });

  test('keys are there before the host is let in, and are marked as secrets', () => {
    const auth = { key: 'DHHC-1:00:a:', controllerKey: 'DHHC-1:00:b:' };
    const steps = buildSteps({ ...wanted, hosts: [{ nqn: hostA, auth }] }, nothing);
    const at = (end: string) => steps.findIndex(({ path }) => path.endsWith(end));
    assert.ok(at('dhchap_key') > 0 && at('dhchap_key') < at(`allowed_hosts/${hostA}`));
    const secrets = steps.filter((step) => step.do === 'write' && step.isSecret === true).map(({ path }) => path);
    assert.deepEqual(secrets, [`hosts/${hostA}/dhchap_key`, `hosts/${hostA}/dhchap_ctrl_key`]);
  });

  test('refuses what would become another path, or be cut off', () => {
    const wrong: Partial<Subsystem>[] = [
      { exportId: '../x' },
      { volumeId: 'x'.repeat(210) },
      { serial: 'x'.repeat(21) },
      { serial: 'a/b' },
      { uuid: 'no' },
      { nguid: 'no' },
      { address: { ...wanted.address, service: 0 } },
      { devicePath: 'sda' },
      { devicePath: '/dev/sda\n/dev/sdb' },
      { hosts: [] },
      { hosts: [{ nqn: 'nqn.x/../y', auth: null }] },
      { hosts: [...wanted.hosts, ...wanted.hosts] },
    ];
    for (const each of wrong) {
      assert.throws(() => buildSteps({ ...wanted, ...each }, nothing), isKind('invalid'), JSON.stringify(each));
    }
  });

  test('names are read back as what they were made of, and others are not ours', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$/);
    const named = fc.record({ exportId: id, volumeId: id, generation: fc.maxSafeNat() }, { noNullPrototype: true });
    fc.assert(fc.property(named, (each) => assert.deepEqual(parseNqn(nqnOf(each)), each)));
    for (const other of [hostA, 'nqn.2026-01.io.holdfast:a:b', 'nqn.2026-01.io.holdfastX:a:b:g1']) {
      assert.equal(parseNqn(other), null);
    }
  });

  test('says which modules are missing', async () => {
    await using directory = await temporaryDirectory();
    await assert.rejects(readTarget(directory.path, signal()), isKind('unavailable', { reason: 'not_loaded' }));
    await emptyConfigfs(directory.path);
    await assert.rejects(readTarget(directory.path, AbortSignal.abort()), isKind('unavailable'));
  });
});
