import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { HoldfastError } from '../errors/errors.ts';
import { type ConfigSources, describeConfig, loadConfig } from './config.ts';
import { settings } from './settings.ts';

const nothing: ConfigSources = { flags: {}, env: {} };

describe('configuration', () => {
  test('has a default for everything that must have a value', () => {
    const { values, origins } = loadConfig(nothing);
    const port: number = values.port;
    const backend: 'memory' | 'file' | 'ceph' | 'cloudstack' = values.storageBackend;
    assert.deepEqual({ port, backend }, { port: 8080, backend: 'file' });
    assert.equal(values.host, '127.0.0.1');
    assert.equal(values.databaseUrl, undefined);
    assert.deepEqual(values.cephMonitors, []);
    assert.equal(values.leaseTtlMs, 8_000);
    assert.equal(values.operationsRetentionMs, 30 * 86_400_000);
    assert.equal(values.volumeRetryMultiplier, 2);
    assert.ok(Object.values(origins).every((origin) => origin === 'default'));
  });

  test('takes flags over environment over file over defaults, and tells which', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'holdfast.toml');
    await writeFile(file, 'port = 1\ndata_dir = "/f"\nlease-ttl = "9s"\nceph_monitors = ["a", "b"]\n');
    const { values, origins } = loadConfig({
      flags: { port: '3' },
      env: { HOLDFAST_PORT: '2', HOLDFAST_DATA_DIR: '/e', HOLDFAST_HOST: '' },
      file,
    });
    assert.deepEqual([values.port, values.dataDir, values.leaseTtlMs, values.host], [3, '/e', 9_000, '127.0.0.1']);
    assert.deepEqual(values.cephMonitors, ['a', 'b']);
    assert.equal(origins.port, 'flag --port');
    assert.equal(origins.dataDir, 'environment HOLDFAST_DATA_DIR');
    assert.equal(origins.leaseTtlMs, `file ${file}: lease-ttl`);
    assert.equal(origins.cephMonitors, `file ${file}: ceph_monitors`);
    assert.equal(origins.host, 'default');
  });

  test('reads the file that the environment names', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'holdfast.toml');
    await writeFile(file, 'volume_retry_multiplier = 1.5\n');
    assert.equal(loadConfig({ flags: {}, env: { HOLDFAST_CONFIG: file } }).values.volumeRetryMultiplier, 1.5);
    assert.equal(loadConfig({ flags: {}, env: { HOLDFAST_CONFIG: '' } }).values.volumeRetryMultiplier, 2);
  });

  test('still knows the former name of a variable, and prefers the new one', () => {
    const former = loadConfig({ flags: {}, env: { RECONCILE_CEPH_ONLY: 'import' } });
    assert.equal(former.values.reconcileBackendOnly, 'import');
    assert.equal(former.origins.reconcileBackendOnly, 'environment RECONCILE_CEPH_ONLY');
    const env = { RECONCILE_CEPH_ONLY: 'import', RECONCILE_BACKEND_ONLY: 'ignore' };
    assert.equal(loadConfig({ flags: {}, env }).values.reconcileBackendOnly, 'ignore');
  });

  test('for people shows where values come from, and no secret', () => {
    const url = 'postgres://me:hunter2@db/x';
    const rows = describeConfig(loadConfig({ flags: {}, env: { DATABASE_URL: url, LEASE_TTL: '90000' } }));
    const row = (name: string) => rows.find((one) => one.name === name)!;
    assert.deepEqual([row('DATABASE_URL').value, row('DATABASE_URL').origin], ['***', 'environment DATABASE_URL']);
    assert.equal(row('LEASE_TTL').value, '90s');
    assert.equal(row('CEPH_CONF').value, '');
    assert.ok(!JSON.stringify(rows).includes('hunter2'));
    assert.equal(rows.length, Object.keys(settings).length);
  });

  test('has one sentence of description and names of its own for every setting', () => {
    const all = Object.values(settings);
    for (const { env, flag, description } of all) {
      assert.match(description, /^[A-Z].*\.$/, env);
      assert.match(flag, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, env);
    }
    assert.equal(new Set(all.map(({ env }) => env)).size, all.length);
    assert.equal(new Set(all.map(({ flag }) => flag)).size, all.length);
  });
});

describe('wrong configuration', () => {
  const cases: readonly [string, ConfigSources, string][] = [
    [
      'a number',
      { flags: { port: 'x' }, env: {} },
      'HOLDFAST_PORT is wrong (from flag --port): "x" is not a whole number.',
    ],
    [
      'a range',
      { flags: {}, env: { HOLDFAST_PORT: '70000' } },
      'HOLDFAST_PORT is wrong (from environment HOLDFAST_PORT): 70000 is not between 0 and 65535.',
    ],
    [
      'a choice',
      { flags: {}, env: { RECONCILE_CEPH_ONLY: 'delete' } },
      'RECONCILE_BACKEND_ONLY is wrong (from environment RECONCILE_CEPH_ONLY): "delete" is not one of ignore, import.',
    ],
    [
      'a timer that would fire at once',
      { flags: { 'reconcile-interval': '30d' }, env: {} },
      'RECONCILE_INTERVAL is wrong (from flag --reconcile-interval): "30d" is not between 1ms and 24d.',
    ],
    [
      'a deadline of nothing',
      { flags: { 'backend-timeout': '0' }, env: {} },
      'BACKEND_TIMEOUT is wrong (from flag --backend-timeout): "0" is not between 1ms and 24d.',
    ],
    ['an empty flag', { flags: { host: '' }, env: {} }, 'HOLDFAST_HOST is wrong (from flag --host): it is empty.'],
    [
      'a misspelt variable',
      { flags: {}, env: { HOLDFAST_PROT: '1' } },
      'There is no setting for the environment variable HOLDFAST_PROT. Did you mean HOLDFAST_PORT?',
    ],
    [
      'a variable like no other',
      { flags: {}, env: { HOLDFAST_NOTHING_OF_THE_KIND: '1' } },
      'There is no setting for the environment variable HOLDFAST_NOTHING_OF_THE_KIND.',
    ],
  ];
  for (const [name, sources, message] of cases) {
    test(`is refused in one sentence: ${name}`, () => {
      assert.throws(
        () => loadConfig(sources),
        (error) => {
          assert.ok(error instanceof HoldfastError);
          assert.deepEqual([error.kind, error.message], ['invalid', message]);
          return true;
        },
      );
    });
  }

  test('in a file is refused by name', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'x.toml');
    const refused = async (text: string, message: string) => {
      await writeFile(file, text);
      assert.throws(() => loadConfig({ ...nothing, file }), { name: 'HoldfastError', message });
    };
    await refused('prot = 1', `There is no setting for the key "prot" in ${file}. Did you mean port?`);
    await refused('port = 1.5', `HOLDFAST_PORT is wrong (from file ${file}: port): "1.5" is not a whole number.`);
    await refused(
      '[port]\na = 1',
      `The key "port" in ${file} is wrong: it is not text, a number, true, false or a list of these.`,
    );
    const twice = `The key "data-dir" in ${file} is wrong: it is the same setting as "data_dir", which is also there.`;
    await refused('data_dir = "a"\ndata-dir = "b"', twice);
    await writeFile(file, 'database_url = "hunter2');
    assert.throws(
      () => loadConfig({ ...nothing, file }),
      (error: Error) => {
        assert.match(error.message, /^The configuration file .* cannot be read: /);
        return !error.message.includes('hunter2');
      },
    );
    assert.throws(
      () => loadConfig({ ...nothing, file: join(directory.path, 'absent.toml') }),
      /absent\.toml cannot be read/,
    );
  });

  test('of any text is a value or an `invalid` error that names the setting', () => {
    const all = Object.values(settings);
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.string(), ({ env, flag }, text) => {
        try {
          loadConfig({ flags: { [flag]: text }, env: {} });
        } catch (error) {
          assert.ok(error instanceof HoldfastError && error.kind === 'invalid' && error.message.startsWith(env));
        }
      }),
      { numRuns: 300 },
    );
  });
});
