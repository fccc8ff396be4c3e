import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createSealer } from '../../src/kernel/secrets/sealer.ts';
import { toSecretKey } from '../../src/kernel/secrets/secret-key.ts';
import { localRootKey } from '../../src/objects/encryption/root-key.ts';
import { type SettingLine } from '../../src/objects/rebuilding/setting-lines.ts';
import { onEveryStore } from '../support/stores.ts';
import { read } from './acts.ts';
import { labBackends, openLab } from './lab.ts';
import { rootKeysOf, testRootKeys } from './test-keys.ts';
import {
  assertNone,
  fill,
  isUser,
  linesNow,
  lose,
  notesOf,
  putBackup,
  rebuild,
  services,
  signal,
} from './settings-acts.ts';

onEveryStore('settings in a backup that is not as it should be', (engine) => {
  const keys = testRootKeys('root');
  const all = { users: 2, access_keys: 2, grants: 1, quotas: 2, notification_targets: 2, subscriptions: 1 };

  test('are not taken over with a wrong root key, and none of them is entered', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    await fill(lab);
    await lab.keepers().backup.run(signal);
    const wrong = rootKeysOf([localRootKey('root', randomBytes(32), 'a wrong file')]);
    const next = await lose(engine, lab, wrong);
    await assert.rejects(rebuild(next), { kind: 'invalid', message: /is not the one that wrapped it/ });
    await assertNone(next);
    await next.close();
  });

  test('do not count where somebody without the root keys could have written them', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    await fill(lab);
    await lab.keepers().backup.run(signal);
    const lines = await linesNow(lab);
    const forged = lines
      .filter(isUser)
      .map((line) => ({ ...line, value: { ...(line.value as object), isAdmin: true } }));
    await putBackup(lab, [{ t: 'settings' }, ...forged, ...lines.filter(({ t }) => t !== 'setting')], false);
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    assert.notEqual(report.backup?.generation, 'led-z', 'a newer one does not hide the one that is proven');
    assert.match(JSON.stringify(report.findings), /led-z\/00000001.whole of the backup is not encrypted under/);
    assert.deepEqual(report.settings, all);
    await next.close();
  });

  test('do not count where there is no other backup than one that anybody could have written', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    await fill(lab);
    await putBackup(lab, await linesNow(lab), false);
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    assert.equal(report.backup?.generation, 'led-z');
    assert.match(notesOf(report).join(), /tells them without encryption, and with root keys nothing counts/);
    await assertNone(next);
    assert.equal((await read(next, 'photos', 'cat')).toString(), 'meow');
    await next.close();
  });

  test('count from the copy that is proven, whatever another backend has in its place', async () => {
    const lab = await openLab(engine, labBackends(2), keys);
    await fill(lab);
    await lab.keepers().backup.run(signal);
    const [first, second] = lab.backends.map(({ backend }) => backend.blobs);
    const [place, genuine] = [...first!].find(([key]) => key.endsWith('.whole'))!;
    await putBackup(lab, [{ t: 'settings' }], false, place.split('/').at(-2)!);
    assert.notDeepEqual(first!.get(place)!.bytes, genuine.bytes);
    second!.set(place, genuine);
    const next = await lose(engine, lab, keys);
    assert.deepEqual((await rebuild(next)).settings, all);
    await next.close();
  });

  test('are left out when their secrets were changed, moved, or told by a later release', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    const { key } = await fill(lab);
    const { access } = services(lab);
    await access.createKey('t', { user: 'boss', label: '', bucket: null, permissions: null });
    const lines = await linesNow(lab);
    const [one, two] = lines.filter(isUser);
    const target = lines.find((line) => line.t === 'setting' && line.kind === 'notification-target') as SettingLine;
    const [name, [text = '']] = Object.entries(target.sealed!.texts)[0]!;
    const flipped = `${text.slice(0, -6)}${text.at(-6) === 'A' ? 'B' : 'A'}${text.slice(-5)}`;
    const changed = { ...target, sealed: { ...target.sealed!, texts: { [name]: [flipped] } } };
    const books = lines.filter((line): line is SettingLine => line.t === 'setting' && line.kind === 'quota');
    const later = books.map((line) => ({ ...line, format: 2 }));
    const moved = [
      { ...one!, sealed: two!.sealed },
      { ...two!, sealed: one!.sealed },
    ];
    await putBackup(lab, [{ t: 'settings' }, ...moved, changed, ...later, ...lines.filter(({ t }) => t !== 'setting')]);
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    const notes = notesOf(report);
    assert.equal(notes.filter((note) => /^user usr-\S+ is left out: The data key/.test(note)).length, 2);
    assert.equal(
      notes.filter((note) => note.startsWith('notification-target chat is left out: A sealed secret')).length,
      1,
    );
    assert.equal(notes.filter((note) => /by a later release/.test(note)).length, 2);
    assert.ok(!JSON.stringify(report).includes(key.accessKey));
    await assertNone(next);
    await next.close();
  });

  test('of a blob that was damaged or put in the place of another are not used', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    await fill(lab);
    await lab.keepers().backup.run(signal);
    await putBackup(lab, await linesNow(lab));
    const { blobs } = lab.backends[0]!.backend;
    const [theirs, ours] = [...blobs].filter(([key]) => key.endsWith('.whole')).toSorted();
    Object.assign(ours![1], { bytes: theirs![1].bytes });
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    assert.match(JSON.stringify(report.findings), /led-z\/00000001.whole of the backup cannot be read/);
    assert.notEqual(report.backup?.generation, 'led-z');
    assert.deepEqual(report.settings, all);
    await next.close();
  });

  test('are not in a backup of an earlier release, from which all else is rebuilt', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    await fill(lab);
    await putBackup(
      lab,
      (await linesNow(lab)).filter(({ t }) => t !== 'setting' && t !== 'settings'),
    );
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    assert.match(notesOf(report).join(), /tells of no users, keys, quotas and targets/);
    assert.deepEqual([report.keys, report.buckets], [1, 2]);
    await assertNone(next);
    assert.equal((await read(next, 'photos', 'cat')).toString(), 'meow');
    await next.close();
  });

  test('that cannot be read are told, and keep nothing else from being backed up', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    await fill(lab);
    const stranger = createSealer(toSecretKey(randomBytes(32), 'another key'));
    const other = services(lab, stranger).access;
    await other.createKey('t', { user: 'boss', label: '', bucket: null, permissions: null });
    await lab.keepers().backup.run(signal);
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    assert.match(notesOf(report).join(), /The secret of the access key \S+ of boss was not kept/);
    assert.deepEqual(report.settings, all);
    await next.close();
  });
});
