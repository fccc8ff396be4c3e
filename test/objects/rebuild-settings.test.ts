import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreAccess } from '../../src/objects/access/store-access.ts';
import { loadBackupMemory, saveBackupMemory } from '../../src/objects/rebuilding/backup-memory.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, count, put } from './acts.ts';
import { labBackends, openLab } from './lab.ts';
import { testRootKeys } from './test-keys.ts';
import {
  assertNone,
  everything,
  fill,
  headers,
  isUser,
  linesNow,
  lose,
  notesOf,
  putBackup,
  rebuild,
  services,
  signal,
  toldBy,
  url,
} from './settings-acts.ts';

onEveryStore('settings of a ledger that was lost', (engine) => {
  const keys = testRootKeys('root');
  const all = { users: 2, access_keys: 2, grants: 1, quotas: 2, notification_targets: 2, subscriptions: 1 };

  test('are there again: who may sign in and do what, limits, and who is told', async () => {
    const lab = await openLab(engine, labBackends(2), keys);
    const { key, secret, revoked, boss } = await fill(lab);
    await lab.keepers().backup.run(signal);
    const before = await everything(lab);
    const next = await lose(engine, lab, keys);
    const dry = await rebuild(next, { isDryRun: true });
    await assertNone(next);
    const report = await rebuild(next);
    assert.deepEqual(dry, report);
    assert.deepEqual(report.findings, []);
    assert.deepEqual(report.settings, all);
    assert.deepEqual(await everything(next), before);
    const access = new StoreAccess({ store: next.store, sealer: next.sealer });
    const found = await access.findKey(key.accessKey);
    assert.equal(found?.secret, secret);
    assert.equal(await access.findKey(revoked.accessKey), null);
    const may = async (user: { id: string; name: string }, name: string, action: 's3:GetObject' | 's3:PutObject') => {
      const bucket = await next.gateway.buckets.get(name);
      const asked = { user, bucket, key: 'cat', action, sourceIp: '127.0.0.1', isSecure: false } as never;
      return access.authorize(asked).then(
        () => true,
        () => false,
      );
    };
    assert.equal(await may(found!.user, 'photos', 's3:GetObject'), true);
    assert.equal(await may(found!.user, 'photos', 's3:PutObject'), false);
    assert.equal(await may(found!.user, 'private', 's3:GetObject'), false);
    assert.equal(await may(boss, 'private', 's3:PutObject'), true);
    await access.close();
    // Once more, as after a run that did not end: what is there stays.
    const again = await rebuild(next, { isMissingOnly: true });
    assert.deepEqual(Object.values(again.settings), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(await everything(next), before);
    await assertClean(next);
    // They are in the backup that takes the place of that one.
    await next.keepers().backup.run(signal);
    const third = await lose(engine, next, keys);
    assert.deepEqual((await rebuild(third)).settings, all);
    assert.deepEqual(await everything(third), before);
    await third.close();
  });

  test('are as the last change has left them', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    const { key, revoked } = await fill(lab);
    await lab.keepers().backup.run(signal);
    const { access, hooks, quotas } = services(lab);
    const later = await access.createKey('t', { user: 'boss', label: 'later', bucket: null, permissions: null });
    await access.revokeKey('t', key.accessKey);
    await access.removeGrant('t', 'ann', 'photos');
    await quotas.remove('user:ann', 't');
    await hooks.add('other', 'mqtt', { url: 'mqtt://127.0.0.1:9', topic: 'x', username: 'u', password: 'p' }, 't');
    await hooks.unsubscribe('lost', 't');
    await hooks.change('chat', { state: 'disabled' }, 't');
    await put(lab, 'private', 'gone', 'x');
    assert.match(await lab.keepers().backup.run(signal), /what changed/);
    await hooks.remove('other', 't');
    assert.match(await lab.keepers().backup.run(signal), /what changed/);
    const before = await everything(lab);
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    assert.deepEqual(report.findings, []);
    assert.deepEqual(await everything(next), before);
    assert.equal(before.reach[0]?.state, 'disabled');
    const access2 = new StoreAccess({ store: next.store, sealer: next.sealer });
    assert.equal((await access2.findKey(later.key.accessKey))?.secret, later.secret);
    for (const one of [key, revoked]) assert.equal(await access2.findKey(one.accessKey), null);
    await access2.close();
    await next.close();
  });

  test('go to backends without any secret where there are no root keys, and say so', async () => {
    const lab = await openLab(engine, labBackends(1), null);
    const { key, secret, hookSecret } = await fill(lab);
    assert.match(await lab.keepers().backup.run(signal), /no access keys.* since there are no root keys/);
    const told = await toldBy(lab);
    assert.ok(told.includes(key.accessKey));
    for (const text of [secret, hookSecret, headers.authorization, url, 'hfs1.']) assert.ok(!told.includes(text), text);
    const next = await lose(engine, lab, null);
    const report = await rebuild(next);
    assert.deepEqual(report.settings, { users: 2, access_keys: 1, grants: 1, quotas: 2 });
    const notes = notesOf(report);
    assert.equal(notes.length, 3);
    assert.ok(notes.some((note) => note.includes(key.accessKey) && /was not kept: make a new key/.test(note)));
    assert.ok(notes.some((note) => /How the target chat \(webhook\) is reached was not kept/.test(note)));
    const { users, grants } = await everything(next);
    assert.deepEqual([users.length, grants.length], [2, 1]);
    await next.close();
  });

  test('go to backends in no readable form where there are root keys, also the sealed texts of the store', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    const { key, secret, hookSecret } = await fill(lab);
    await lab.keepers().backup.run(signal);
    const held = [...lab.backends[0]!.backend.blobs.values()].map(({ bytes }) => bytes.toString('latin1')).join('');
    for (const text of [secret, hookSecret, url, key.accessKey, 'hfs1.']) assert.ok(!held.includes(text), text);
    // Nor is any of it plain to who has the key of a blob.
    const inside = await toldBy(lab);
    for (const text of [secret, hookSecret, url, headers.authorization]) assert.ok(!inside.includes(text), text);
    assert.ok(inside.includes(key.accessKey));
    await lab.close();
  });

  test('are told whole anew when root keys have come, and when another release has told them', async () => {
    const bare = await openLab(engine, labBackends(1), keys);
    await fill(bare);
    await bare.keepers().backup.run(signal);
    assert.match(await bare.keepers().backup.run(signal), /what changed/);
    const memory = await loadBackupMemory(bare.store);
    const { form: _, ...earlier } = memory.reached!;
    await saveBackupMemory(bare.store, { ...memory, reached: earlier });
    assert.match(await bare.keepers().backup.run(signal), /all there is/);
    const now = await loadBackupMemory(bare.store);
    await saveBackupMemory(bare.store, { ...now, reached: { ...now.reached!, form: 'settings-1' } });
    assert.match(await bare.keepers().backup.run(signal), /all there is/);
    await bare.close();
  });

  test('leave what is in the ledger already as it is, and tell where the backup says something else', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    const { key, boss } = await fill(lab);
    const { access } = services(lab);
    await lab.keepers().backup.run(signal);
    const lines = await linesNow(lab);
    await access.setGrant('t', 'ann', 'photos', ['write']);
    const { hooks, quotas } = services(lab);
    const other = await hooks.change('chat', { url: 'http://127.0.0.1:9/other' }, 't');
    await quotas.set('user:ann', { bytes_max: 7 }, 't');
    const before = await everything(lab);
    const report = await rebuild(lab, { isMissingOnly: true });
    assert.deepEqual(await everything(lab), before);
    assert.equal(other.target.settings.url, before.reach[0]?.url);
    assert.deepEqual(notesOf(report), ['The user ann stands with other grants than the backup tells: look at them.']);
    // A key that was made since is entered; one that was revoked since is told; another user's name is taken.
    const [user] = lines.filter(isUser).filter(({ id }) => id !== boss.id);
    const value = user!.value as { keys: { accessKey: string; revokedAtMs: number | null }[] };
    const told = value.keys.map((one) => (one.accessKey === key.accessKey ? { ...one, revokedAtMs: 5 } : one));
    const former = { accessKey: `HF${'A'.repeat(18)}`, label: 'former', createdAtMs: 1, revokedAtMs: 2 };
    const grants = [{ bucket: 'taken-back', permissions: ['read'], updatedAtMs: 1 }];
    const revoked = { ...user!, value: { ...value, keys: [...told, former], grants } };
    const stranger = { ...lines.filter(isUser).find(({ id }) => id === boss.id)!, id: 'usr-stranger', sealed: null };
    await putBackup(lab, [{ t: 'settings' }, revoked, stranger]);
    const notes = notesOf(await rebuild(lab, { isMissingOnly: true }));
    assert.ok(notes.some((note) => note.includes(`${key.accessKey} of ann was revoked, and counts here`)));
    assert.ok(notes.some((note) => note.startsWith('Another user is named boss here')));
    const { keys: entered, secrets: _, ...others } = await everything(lab);
    const { keys: standing, secrets: __, ...same } = before;
    assert.deepEqual(others, same);
    assert.deepEqual(
      entered.map(({ accessKey }) => accessKey),
      [former.accessKey, ...standing.map(({ accessKey }) => accessKey)],
    );
    await lab.close();
  });

  test('name the backends that are missing, and those that had other labels', async () => {
    const lab = await openLab(engine, labBackends(2, { labels: { place: 'home' } }), keys);
    await lab.bucket('photos');
    await lab.keepers().backup.run(signal);
    const [first] = lab.backends;
    const next = await lose(engine, lab, keys, [{ ...first!, labels: {} }]);
    assert.deepEqual(notesOf(await rebuild(next)), [
      'The backend m1 had other labels: place=home.',
      'The backend m2 is not here; it was of kind memory, with settings none and labels place=home.',
    ]);
    await next.close();
  });

  test('are entered page by page, and by the next run where one ended in the middle', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    await fill(lab);
    const { access } = services(lab);
    for (let n = 0; n < 220; n++) {
      await access.createKey('t', { user: null, label: `user-${n}`, bucket: null, permissions: null });
    }
    await lab.keepers().backup.run(signal);
    const before = await everything(lab);
    const next = await lose(engine, lab, keys);
    let left = 150;
    next.store.fate = (name) => (name === 'restoreUser' && left-- === 0 ? 'lose' : 'pass');
    await assert.rejects(rebuild(next), { kind: 'unavailable' });
    assert.equal(await count(next.store, 'users'), 151);
    assert.equal(await count(next.store, 'notification_targets'), 0);
    const report = await rebuild(next);
    assert.deepEqual(report.findings, []);
    assert.deepEqual(report.settings['users'], 222 - 151);
    assert.deepEqual(await everything(next), before);
    await next.close();
  });
});
