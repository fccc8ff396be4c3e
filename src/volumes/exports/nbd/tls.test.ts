import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runClient } from '../../../../test/support/qemu.ts';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { until } from '../../../../test/support/wait.ts';
import { MIB, at, isKind, newSpec } from '../conformance/suite.ts';
import type { ExportKey, ExportTarget, LiveExport } from '../target.ts';
import { createNbdTarget } from './nbd.ts';
import { anyPorts, newFile, withQemu } from './testkit.ts';

withQemu('nbd with keys', () => {
  let temporary: Awaited<ReturnType<typeof temporaryDirectory>>;
  let target: ExportTarget;
  before(async () => {
    temporary = await temporaryDirectory();
    target = createNbdTarget({ ports: anyPorts, runDirectory: join(temporary.path, 'run') });
  });
  after(async () => {
    await target.close();
    await temporary[Symbol.asyncDispose]();
  });

  /** The exit status of nbdinfo that connects with this key, or with none. */
  const statusWith = async (
    live: LiveExport,
    key: ExportKey | null,
    name = live.connection.name,
  ): Promise<number | null> => {
    const { host, port } = live.connection;
    const file = join(temporary.path, `${randomBytes(6).toString('hex')}.psk`);
    if (key !== null) await writeFile(file, `${key.identity}:${key.keyHex}\n`, { mode: 0o600 });
    const uri =
      key === null
        ? `nbd://${host}:${port}/${name}`
        : `nbds://${key.identity}@${host}:${port}/${name}?tls-psk-file=${file}`;
    return (await runClient('nbdinfo', ['--size', uri])).status;
  };

  test('lets in who has the key of this export, and nobody else', async () => {
    const [mine, theirs] = [newKey('mine'), newKey('theirs')];
    const first = newSpec(await newFile(temporary.path, 4n * MIB), { tls: mine });
    const second = newSpec(await newFile(temporary.path, 4n * MIB), { tls: theirs });
    const live = await target.add(at(), first);
    const other = await target.add(at(), second);
    assert.equal(live.isTls, true);
    assert.equal(await statusWith(live, mine), 0);
    assert.notEqual(await statusWith(live, null), 0, 'in the clear');
    assert.notEqual(await statusWith(live, { ...mine, keyHex: newKey('x').keyHex }), 0, 'with a wrong key');
    assert.notEqual(await statusWith(live, theirs), 0, 'with the key of another export');
    assert.notEqual(await statusWith(other, theirs, live.connection.name), 0, 'the other export, by its own key');
    assert.equal(await statusWith(other, theirs), 0);
    assert.match(live.connection.uri, /^nbds:\/\/mine@/);
    await target.remove(at(), first.exportId, { force: false });
    assert.deepEqual(
      (await target.list(at())).map(({ exportId }) => exportId),
      [second.exportId],
    );
    await target.remove(at(), second.exportId, { force: false });
  });

  test('keeps keys where only this user reads them, as long as their export is there', async () => {
    const key = newKey('kept');
    const spec = newSpec(await newFile(temporary.path, 4n * MIB), { tls: key });
    await target.add(at(), spec);
    const run = join(temporary.path, 'run');
    const [file = ''] = (await readdir(run, { recursive: true })).filter((name) => name.endsWith('keys.psk'));
    assert.equal((await stat(join(run, file))).mode & 0o777, 0o600);
    await target.remove(at(), spec.exportId, { force: false });
    await until('the keys are gone', async () => (await readdir(run)).length === 0);
  });

  test('takes a repeat with the same key, and refuses one with another or none', async () => {
    const key = newKey('same');
    const spec = newSpec(await newFile(temporary.path, 4n * MIB), { tls: key });
    const live = await target.add(at(), spec);
    assert.deepEqual(await target.add(at(), spec), live);
    const refused = isKind('conflict', { reason: 'other_export', differs: ['tls'] });
    await assert.rejects(target.add(at(), { ...spec, tls: newKey('same') }), refused);
    await assert.rejects(target.add(at(), { ...spec, tls: null }), refused);
    const other = newSpec(spec.source, { volumeId: spec.volumeId });
    await assert.rejects(target.add(at(), other), isKind('conflict', { reason: 'stale_export' }));
    assert.deepEqual(await target.list(at()), [live]);
    await target.remove(at(), spec.exportId, { force: false });
    for (const tls of [
      { identity: 'a:b', keyHex: key.keyHex },
      { identity: 'a', keyHex: 'abc' },
    ]) {
      await assert.rejects(target.add(at(), { ...spec, tls }), isKind('invalid'));
    }
    assert.deepEqual(await target.list(at()), []);
  });

  test('after its daemon was killed, takes the same key again, or another once it was removed', async () => {
    const spec = newSpec(await newFile(temporary.path, 4n * MIB), { tls: newKey('first') });
    const live = await target.add(at(), spec);
    const killDaemon = async (): Promise<void> => {
      const { detail } = await target.health(at().signal);
      process.kill(Number(/process (\d+)/.exec(detail)?.[1]), 'SIGKILL');
      await until('nothing is exported', async () => (await target.list(at())).length === 0);
    };
    await killDaemon();
    assert.deepEqual(await target.add(at(), spec), live);
    await killDaemon();
    await target.remove(at(), spec.exportId, { force: false });
    const second = newKey('second');
    const again = await target.add(at(), { ...spec, tls: second });
    assert.equal(await statusWith(again, second), 0);
    assert.notEqual(await statusWith(again, spec.tls), 0);
    await target.remove(at(), spec.exportId, { force: false });
  });
});

function newKey(identity: string): ExportKey {
  return { identity, keyHex: randomBytes(32).toString('hex') };
}
