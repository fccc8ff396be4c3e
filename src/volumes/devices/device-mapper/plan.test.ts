import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type MappedDevice, parseListing } from './listing.ts';
import { linkNames } from './names.ts';
import { type LinkStep, planLink, planTeardown } from './plan.ts';

const volumeId = 'vol-01930000-0000-7000-8000-00000000000a';
const { name, uuid } = linkNames(volumeId);
const wanted = { volumeId, majorMinor: '254:16', sizeBytes: 2n ** 26n, isReadOnly: false };
const table = '0 131072 linear 254:16 0';

const listing = (info: string, tables: string) => parseListing({ info, table: tables });
const existing = (given: string, owner = uuid, state = '0|L--w') =>
  listing(`${name}|${owner}|253|0|${state}\n`, `${name}: ${given}\n`);
const said = (steps: readonly LinkStep[]) =>
  steps.map((step) => (step.kind === 'refuse' ? `refuse ${step.reason}` : step.kind));
const repointing = [
  { kind: 'reload', name, table, isReadOnly: false },
  { kind: 'resume', name },
];

describe('the plan of a link', () => {
  test('creates one where there is none', () => {
    assert.deepEqual(planLink(wanted, []), [{ kind: 'create', name, uuid, table, isReadOnly: false }]);
  });

  test('keeps one that points at the device', () => {
    assert.deepEqual(planLink(wanted, existing(table)), [{ kind: 'keep', name }]);
  });

  test('repoints ours, also when it is open, for another device, a new size and any other table', () => {
    const tables = [
      '0 131072 linear 254:32 0',
      '0 65536 linear 254:16 0',
      '0 131072 linear 254:16 8',
      '0 131072 error',
      '',
    ];
    const parts = `0 65536 linear 254:16 0\n${name}: 65536 65536 linear 254:16 65536`;
    for (const each of [...tables, parts])
      assert.deepEqual(planLink(wanted, existing(each, uuid, '2|L--w')), repointing);
  });

  test('loads the right table before it resumes a suspended link, which may hold another table', () => {
    assert.deepEqual(planLink(wanted, existing(table, uuid, '0|LIsw')), repointing);
  });

  test('is writable as the device is', () => {
    const readOnly = { ...wanted, isReadOnly: true };
    assert.deepEqual(planLink(readOnly, []), [{ kind: 'create', name, uuid, table, isReadOnly: true }]);
    assert.deepEqual(said(planLink(readOnly, existing(table))), ['reload', 'resume']);
    assert.deepEqual(said(planLink(readOnly, existing(table, uuid, '0|L--r'))), ['keep']);
    assert.deepEqual(said(planLink(wanted, existing(table, uuid, '0|L--r'))), ['reload', 'resume']);
  });

  test('refuses a link of ours under another name, itself as target, and a device that another link of ours holds', () => {
    const renamed = listing(`else|${uuid}|253|0|0|L--w`, `else: ${table}`);
    assert.deepEqual(said(planLink(wanted, renamed)), ['refuse other_name']);
    assert.deepEqual(said(planLink({ ...wanted, majorMinor: '253:0' }, existing(table))), ['refuse own_device']);
    const stale = listing(`vol-b|HOLDFAST-vol-b|253|1|0|L--w`, `vol-b: ${table}`);
    assert.deepEqual(said(planLink(wanted, stale)), ['refuse device_taken']);
    const foreign = listing(`part|LVM-x|253|1|0|L--w`, `part: ${table}`);
    assert.deepEqual(said(planLink(wanted, foreign)), ['create']);
  });

  test('needs whole sectors and a number', () => {
    for (const wrong of [{ sizeBytes: 0n }, { sizeBytes: 513n }, { sizeBytes: -512n }, { majorMinor: '/dev/vdb' }]) {
      assert.throws(() => planLink({ ...wanted, ...wrong }, []), { kind: 'invalid' });
    }
  });
});

describe('bugs of others that are none here', () => {
  test('an existing name whose table points at another disk is never taken for ours', () => {
    for (const owner of ['', 'BLK-else', 'HOLDFAST-vol-b']) {
      for (const each of [table, '0 131072 linear 254:32 0']) {
        assert.deepEqual(said(planLink(wanted, existing(each, owner))), ['refuse foreign_uuid']);
        assert.deepEqual(said(planTeardown(linkNames(volumeId), existing(each, owner), { mayDefer: true })), [
          'refuse foreign_uuid',
        ]);
      }
    }
    assert.deepEqual(said(planLink(wanted, existing('0 131072 linear 254:32 0'))), ['reload', 'resume']);
  });

  test('eight equal digits at the start of two ids do not make one name', () => {
    const ids = [volumeId, volumeId.replace(/a$/, 'b'), 'vol-01930000', 'vol-01930000-b', 'x', '', 'é'.repeat(500)];
    assert.equal(new Set(ids.map((id) => linkNames(id).name)).size, ids.length);
    assert.equal(linkNames(volumeId).name, volumeId);
  });

  test('names are never shared, and always such as device-mapper takes', () => {
    const id = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.uuid().map((each) => `vol-${each}`),
    );
    fc.assert(
      fc.property(id, id, (one, other) => {
        const [first, second] = [linkNames(one), linkNames(other)];
        assert.equal(first.name === second.name, one === other);
        assert.equal(first.uuid === second.uuid, one === other);
        assert.match(first.name, /^vol[\w#+.:=@-]{1,124}$/);
        assert.match(first.uuid, /^[\w#+.:=@-]{1,128}$/);
      }),
    );
  });

  test('whatever stands there, a plan keeps only the exact table, and what it leaves live is the wanted one', () => {
    const target = fc.constantFrom('254:16', '254:32', '8:0');
    const line = fc.tuple(fc.constantFrom(0, 8), fc.constantFrom(131_072, 65_536), target, fc.constantFrom(0, 2_048));
    const device = fc.tuple(fc.constantFrom(name, 'vol-b', 'swap'), fc.constantFrom(uuid, 'HOLDFAST-vol-b', ''), line);
    fc.assert(
      fc.property(fc.uniqueArray(device, { selector: ([each]) => each, maxLength: 3 }), (devices) => {
        const text = ([start, length, at, offset]: (typeof devices)[number][2]) =>
          `${start} ${length} linear ${at} ${offset}`;
        const present: readonly MappedDevice[] = listing(
          devices.map(([each, owner], at) => `${each}|${owner}|253|${at}|0|L--w`).join('\n'),
          devices.map(([each, , part]) => `${each}: ${text(part)}`).join('\n'),
        );
        const [first] = planLink(wanted, present);
        const ours = devices.find(([each, owner]) => each === name && owner === uuid);
        if (first?.kind === 'keep') assert.equal(text(ours![2]), table);
        if (first?.kind === 'reload') assert.ok(ours !== undefined && first.table === table);
        if (first?.kind === 'create') assert.ok(!devices.some(([each, owner]) => each === name || owner === uuid));
      }),
    );
  });
});

describe('the teardown of a link', () => {
  test('removes ours, and an absent one is done', () => {
    assert.deepEqual(planTeardown(linkNames(volumeId), [], { mayDefer: false }), []);
    const steps = [{ kind: 'remove', name, isDeferred: false }];
    assert.deepEqual(planTeardown(linkNames(volumeId), existing(table), { mayDefer: false }), steps);
  });

  test('leaves an open one, or lets it go with its last holder', () => {
    const open = existing(table, uuid, '1|L--w');
    assert.deepEqual(said(planTeardown(linkNames(volumeId), open, { mayDefer: false })), ['refuse open']);
    const steps = [{ kind: 'remove', name, isDeferred: true }];
    assert.deepEqual(planTeardown(linkNames(volumeId), open, { mayDefer: true }), steps);
  });
});

describe('what dmsetup prints', () => {
  test('is read: several lines, none, a name with a colon', () => {
    const info = 'a:b||253|3|1|L--w\ncrypt|CRYPT-x|253|4|0|LIsr\nbare|u|253|5|0|---w\n';
    const tables = 'a:b: 0 8 linear 8:0 0\na:b: 8 8 error \ncrypt: 0 16 crypt aes :32:logon:x 0 8:1 0\nbare: \n';
    const found = listing(info, tables);
    assert.deepEqual(found[0], {
      name: 'a:b',
      uuid: '',
      majorMinor: '253:3',
      openCount: 1,
      isSuspended: false,
      isReadOnly: false,
      table: [
        { startSectors: 0n, lengthSectors: 8n, target: 'linear', args: '8:0 0' },
        { startSectors: 8n, lengthSectors: 8n, target: 'error', args: '' },
      ],
    });
    assert.deepEqual(
      found.slice(1).map((each) => [each.isSuspended, each.table.length]),
      [
        [true, 1],
        [false, 0],
      ],
    );
    assert.deepEqual(listing('No devices found\n', 'No devices found\n'), []);
  });

  test('is refused where it is not understood, for what is unknown is not absent', () => {
    for (const info of ['a|b|c|d|e|f', 'a|u|253|0|0', '|u|253|0|0|L--w', 'a|u|253|0|0|Active', 'a|u|253|0|0|L--w|x']) {
      assert.throws(() => listing(info, ''), { kind: 'backend' }, info);
    }
    for (const tables of ['garbage', 'a: x 8 linear 8:0 0']) {
      assert.throws(() => listing('', tables), { kind: 'backend' }, tables);
    }
    assert.throws(() => listing('', 'a: 0 8 error\n'.repeat(16_385)), { kind: 'backend' });
  });
});
