import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { isKind } from '../conformance/suite.ts';
import { type RbdLabel, mapOptions, parseConfigInfo } from './rbd-label.ts';
import { listMapped, readMapped } from './rbd-mapped.ts';

const label: RbdLabel = { exportId: 'exp-1', conf: '/etc/ceph/ceph.conf', user: 'holdfast' };
const signal = (): AbortSignal => AbortSignal.timeout(10_000);

/** As the kernel shows it: the options in the order in which `rbd` wrote them, without those that it kept to itself. */
function configInfo(options: string): string {
  const kept = options.split(',').filter((option) => option !== 'noudev');
  return `192.0.2.7:6789,192.0.2.8:6789 name=holdfast,key=client.holdfast,${kept.toReversed().join(',')} rbd vol-1 -`;
}

/** A folder of sysfs for each mapping. */
async function busWith(root: string, mappings: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  for (const [id, attributes] of Object.entries(mappings)) {
    const folder = join(root, 'devices', id);
    await mkdir(folder, { recursive: true });
    for (const [name, text] of Object.entries(attributes)) await writeFile(join(folder, name), `${text}\n`);
  }
}

describe('mapped images', () => {
  test('the label is read back from what the kernel was told', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }).filter((each) => each.isWellFormed());
    const ids = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/);
    const labels = fc.record({ exportId: ids, conf: text, user: text }, { requiredKeys: ['exportId', 'conf'] });
    fc.assert(
      fc.property(labels, (each) => {
        const options = mapOptions(each);
        assert.match(options, /^[!-~]+$/, 'no space ends the options');
        assert.deepEqual(parseConfigInfo(configInfo(options)), { ...each });
      }),
    );
  });

  test('each has a client of its own, so that fencing one cuts no other', () => {
    assert.ok(mapOptions(label).split(',').includes('noshare'));
  });

  test('what somebody else mapped is not ours', () => {
    for (const options of ['name=admin', 'crush_location=host:n1', 'noshare,crush_location=holdfast:a|host:b']) {
      assert.equal(parseConfigInfo(`192.0.2.7:6789 ${options} rbd vol-1 -`), null, options);
    }
    // Names of pools, images and snapshots are no options.
    assert.equal(parseConfigInfo(`192.0.2.7:6789 name=admin crush_location=holdfast:a|conf:YQ vol-1 -`), null);
    assert.equal(parseConfigInfo(''), null);
  });

  test('are told from sysfs: of what image, how large, and which of two of one name', async () => {
    await using directory = await temporaryDirectory();
    const root = directory.path;
    const facts = { pool: 'rbd', name: 'vol-1', cluster_fsid: 'fsid-1', pool_id: '3', size: '8388608' };
    const ours = { ...facts, config_info: configInfo(mapOptions(label)) };
    await busWith(root, {
      0: { ...ours, image_id: 'aa' },
      1: { ...facts, image_id: 'bb', config_info: '192.0.2.7:6789 name=admin rbd vol-1 -' },
      2: { ...ours, image_id: 'cc' },
      // It is going while it is read.
      3: { config_info: ours.config_info },
    });
    const mapped = await listMapped(signal(), root);
    const { conf, user } = label;
    const source = { kind: 'rbd', conf, user, pool: 'rbd', image: 'vol-1' };
    const shown = mapped.map(({ identity: _identity, ...each }) => each);
    assert.deepEqual(
      shown,
      ['/dev/rbd0', '/dev/rbd2'].map((path) => ({ exportId: 'exp-1', path, source, sizeBytes: 8_388_608n })),
    );
    assert.notEqual(mapped[0]?.identity, mapped[1]?.identity);
    assert.deepEqual(await readMapped('/dev/rbd0', signal(), root), mapped[0]);
    for (const path of ['/dev/rbd1', '/dev/rbd9', '/dev/rbd0p1', '/dev/loop0']) {
      assert.equal(await readMapped(path, signal(), root), null, path);
    }
  });

  test('are never thought absent for a deadline that passed, and are absent without the kernel client', async () => {
    await using directory = await temporaryDirectory();
    await assert.rejects(listMapped(AbortSignal.abort(), directory.path), isKind('unavailable'));
    assert.deepEqual(await listMapped(signal(), directory.path), []);
  });
});
