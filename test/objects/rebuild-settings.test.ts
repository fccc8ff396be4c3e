import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createIdSource } from '../../src/kernel/ids.ts';
import { createSealer } from '../../src/kernel/secrets/sealer.ts';
import { toSecretKey } from '../../src/kernel/secrets/secret-key.ts';
import { openSender } from '../../src/notifications/senders/open.ts';
import { findTargetRow } from '../../src/notifications/queries.ts';
import { openTarget } from '../../src/notifications/secrets.ts';
import { NotificationService } from '../../src/notifications/service.ts';
import { listKeys, listUsers } from '../../src/objects/access/queries.ts';
import { AccessService } from '../../src/objects/access/service.ts';
import { StoreAccess } from '../../src/objects/access/store-access.ts';
import type { RootKeys } from '../../src/objects/encryption/load-root-keys.ts';
import { localRootKey } from '../../src/objects/encryption/root-key.ts';
import { listBooks } from '../../src/objects/quotas/queries.ts';
import { QuotaService } from '../../src/objects/quotas/service.ts';
import { type BackupLine, linesOfAll } from '../../src/objects/rebuilding/backup-lines.ts';
import { loadBackupMemory, saveBackupMemory } from '../../src/objects/rebuilding/backup-memory.ts';
import { findBackup, linesOf } from '../../src/objects/rebuilding/backup-reader.ts';
import { BackupWriter } from '../../src/objects/rebuilding/backup-writer.ts';
import { rebuildLedger } from '../../src/objects/rebuilding/rebuild.ts';
import { type SettingLine, linesOfSettings } from '../../src/objects/rebuilding/setting-lines.ts';
import type { RebuildWish } from '../../src/objects/rebuilding/wish.ts';
import { type StoreEngine, onEveryStore } from '../support/stores.ts';
import { assertClean, count, put, read } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';
import { rootKeysOf, testRootKeys } from './test-keys.ts';

const signal = new AbortController().signal;
const url = 'http://127.0.0.1:9/hook/capability';
const headers = { authorization: 'Bearer of-a-header' };
const nothing = { isMissingOnly: false, isDryRun: false, isLossAccepted: false, backends: [] };

function rebuild(lab: Lab, wish: Partial<RebuildWish> = {}) {
  const { store, registry, encryption, keyring, clock, settings } = lab;
  return rebuildLedger({ store, registry, encryption, keyring, clock, settings }, { ...nothing, ...wish }, signal);
}

/** What people ask of the features whose settings are backed up. */
function services(lab: Lab, sealer = lab.sealer) {
  const { store, clock } = lab;
  const newId = createIdSource();
  const access = new AccessService({ store, sealer, newId, clock });
  const hooks = new NotificationService({
    store,
    sealer,
    clock,
    newId,
    openSender: (target) => openSender(target, clock),
  });
  return { access, hooks, quotas: new QuotaService({ store, clock, newId, wake: () => {} }) };
}

/** Two users with keys and grants, quotas and a target. */
async function fill(lab: Lab) {
  const { access, hooks, quotas } = services(lab);
  await lab.bucket('photos');
  await lab.bucket('private');
  await put(lab, 'photos', 'cat', 'meow');
  const { key, secret } = await access.createKey('t', {
    user: null,
    label: 'ann',
    bucket: 'photos',
    permissions: ['read'],
  });
  const revoked = await access.createKey('t', { user: 'ann', label: 'old', bucket: null, permissions: null });
  await access.revokeKey('t', revoked.key.accessKey);
  const boss = await access.createUser('t', 'boss', true);
  const limits = { bytes_max: 1_000_000, month_requests_max: 9 };
  await quotas.set('bucket:photos', limits, 't');
  await quotas.set('user:ann', limits, 't');
  const made = await hooks.add('chat', 'webhook', { url, headers }, 't');
  await hooks.subscribe({ name: 'lost', target: 'chat', types: ['object.lost'], resources: ['object:photos/'] }, 't');
  return { key, secret, revoked: revoked.key, boss, hookSecret: made.secret! };
}

/** Everything that is backed up beside objects, as it is seen from outside, with secrets opened. */
async function everything(lab: Lab) {
  const users = await lab.store.read((reader) => listUsers(reader, { limit: 100 }));
  const keys = await lab.store.read((reader) => listKeys(reader, { limit: 100 }));
  const grants = await lab.store.read((reader) => reader.rows('select * from grants order by user_id, bucket', []));
  const books = await lab.store.read((reader) => listBooks(reader, { after: '', limit: 100 }));
  const { hooks } = services(lab);
  const row = await lab.store.read((reader) => findTargetRow(reader, 'chat'));
  const target = row === null ? null : openTarget(lab.sealer, row);
  const reach = target && { kind: target.kind, state: target.state, ...target.settings, ...target.secrets };
  const access = new StoreAccess({ store: lab.store, sealer: lab.sealer });
  const secrets = [];
  for (const { accessKey } of keys) secrets.push((await access.findKey(accessKey))?.secret ?? null);
  await access.close();
  const limits = books.map(({ subject, limits: of }) => ({ subject, of }));
  return { users, keys, secrets, grants, limits, reach, subscriptions: await hooks.subscriptions() };
}

const tables = ['users', 'access_keys', 'grants', 'quota_books', 'notification_targets', 'notification_subscriptions'];

async function assertNone(lab: Lab): Promise<void> {
  for (const table of tables) assert.equal(await count(lab.store, table), 0, table);
}

async function lose(engine: StoreEngine, lab: Lab, keys: RootKeys | null, backends = lab.backends): Promise<Lab> {
  await lab.close();
  return openLab(engine, backends, keys);
}

/** Puts a backup of these lines beside what stands, as if it came later. */
async function putBackup(lab: Lab, lines: readonly BackupLine[], isEncrypted = true): Promise<void> {
  const { registry, clock, encryption } = lab;
  const onError = (error: unknown) => assert.fail(String(error));
  const writer = new BackupWriter(
    { registry, clock, coding: { encryption, isEncrypted }, onError },
    'led-z',
    1,
    signal,
  );
  for (const line of lines) await writer.add(line);
  await writer.add({ t: 'as-of', atMs: clock.nowMs() });
  await writer.flush(true);
}

async function linesNow(lab: Lab): Promise<BackupLine[]> {
  const { store, settings, encryption, keyring } = lab;
  const coding = { encryption, isEncrypted: keyring !== null };
  const onError = (error: unknown) => assert.fail(String(error));
  return [
    ...(await Array.fromAsync(linesOfSettings({ store, settings, coding, onError }))),
    ...(await Array.fromAsync(linesOfAll(store))),
  ];
}

/** All that the backup on the first backend tells, decoded. */
async function toldBy({ registry, encryption }: Lab): Promise<string> {
  const found = await findBackup(registry.all.slice(0, 1), signal);
  const told = [];
  for (const blob of found!.blobs) told.push(...(await linesOf(blob, encryption, signal))!.lines);
  return JSON.stringify(told);
}

const isUser = (line: BackupLine): line is SettingLine => line.t === 'setting' && line.kind === 'user';
const notesOf = ({ findings }: { findings: readonly { kind: string; detail: string }[] }) =>
  findings.filter(({ kind }) => kind === 'setting').map(({ detail }) => detail);

onEveryStore('settings of a ledger that was lost', (engine) => {
  const keys = testRootKeys('root');
  const all = { users: 2, access_keys: 2, grants: 1, quotas: 2, notification_targets: 1, subscriptions: 1 };

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
    assert.equal(before.reach?.state, 'disabled');
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
    assert.equal(notes.length, 2);
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
    assert.equal(other.target.settings.url, before.reach?.url);
    assert.deepEqual(notesOf(report), ['The user ann stands with other grants than the backup tells: look at them.']);
    // A key that was made since is entered; one that was revoked since is told; another user's name is taken.
    const [user] = lines.filter(isUser).filter(({ id }) => id !== boss.id);
    const value = user!.value as { keys: { accessKey: string; revokedAtMs: number | null }[] };
    const told = value.keys.map((one) => (one.accessKey === key.accessKey ? { ...one, revokedAtMs: 5 } : one));
    const revoked = { ...user!, value: { ...value, keys: told } };
    const stranger = { ...lines.filter(isUser).find(({ id }) => id === boss.id)!, id: 'usr-stranger', sealed: null };
    await putBackup(lab, [{ t: 'settings' }, revoked, stranger]);
    const notes = notesOf(await rebuild(lab, { isMissingOnly: true }));
    assert.ok(notes.some((note) => note.includes(`${key.accessKey} of ann was revoked, and counts here`)));
    assert.ok(notes.some((note) => note.startsWith('Another user is named boss here')));
    assert.deepEqual(await everything(lab), before);
    await lab.close();
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
    assert.equal(report.backup?.generation, 'led-z');
    assert.match(notesOf(report).join(), /tells them without encryption, and with root keys nothing counts/);
    await assertNone(next);
    assert.equal((await read(next, 'photos', 'cat')).toString(), 'meow');
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
    const [[name, text]] = Object.entries(target.sealed!.texts) as [[string, string]];
    const flipped = `${text.slice(0, -6)}${text.at(-6) === 'A' ? 'B' : 'A'}${text.slice(-5)}`;
    const changed = { ...target, sealed: { ...target.sealed!, texts: { [name]: flipped } } };
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
    assert.equal(notes.filter((note) => /^notification-target chat is left out: A sealed secret/.test(note)).length, 1);
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
    assert.match(notesOf(report).join(), /of an earlier release: it tells of no users/);
    assert.deepEqual([report.keys, report.buckets], [1, 2]);
    await assertNone(next);
    assert.equal((await read(next, 'photos', 'cat')).toString(), 'meow');
    await next.close();
  });

  test('that cannot be read are told, and keep nothing else from being backed up', async () => {
    const lab = await openLab(engine, labBackends(1), keys);
    const { boss } = await fill(lab);
    const stranger = createSealer(toSecretKey(randomBytes(32), 'another key'));
    const other = services(lab, stranger).access;
    await other.createKey('t', { user: 'boss', label: '', bucket: null, permissions: null });
    await lab.keepers().backup.run(signal);
    assert.match(lab.problems.join(), new RegExp(`user ${boss.id} was not backed up.*sealed with the key`));
    const next = await lose(engine, lab, keys);
    assert.deepEqual((await rebuild(next)).settings, { ...all, users: 1 });
    await next.close();
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
});
