import assert from 'node:assert/strict';
import { createIdSource } from '../../src/kernel/ids.ts';
import { openSender } from '../../src/notifications/senders/open.ts';
import type { TargetRow } from '../../src/notifications/tables.ts';
import { openTarget } from '../../src/notifications/secrets.ts';
import { NotificationService } from '../../src/notifications/service.ts';
import { listKeys, listUsers } from '../../src/objects/access/queries.ts';
import { AccessService } from '../../src/objects/access/service.ts';
import { StoreAccess } from '../../src/objects/access/store-access.ts';
import type { RootKeys } from '../../src/objects/encryption/load-root-keys.ts';
import { listBooks } from '../../src/objects/quotas/queries.ts';
import { QuotaService } from '../../src/objects/quotas/service.ts';
import { type BackupLine, linesOfAll } from '../../src/objects/rebuilding/backup-lines.ts';
import { findBackup, linesOf } from '../../src/objects/rebuilding/backup-reader.ts';
import { BackupWriter } from '../../src/objects/rebuilding/backup-writer.ts';
import { rebuildLedger } from '../../src/objects/rebuilding/rebuild.ts';
import { type SettingLine, linesOfSettings } from '../../src/objects/rebuilding/setting-lines.ts';
import type { RebuildWish } from '../../src/objects/rebuilding/wish.ts';
import { type StoreEngine } from '../support/stores.ts';
import { count, put } from './acts.ts';
import { type Lab, openLab } from './lab.ts';

export const signal = new AbortController().signal;
export const url = 'http://127.0.0.1:9/hook/capability';
export const headers = { authorization: 'Bearer of-a-header' };
const allTargets = 'select * from notification_targets order by name';
const nothing = { isMissingOnly: false, isDryRun: false, isLossAccepted: false, backends: [] };

export function rebuild(lab: Lab, wish: Partial<RebuildWish> = {}) {
  const { store, registry, encryption, keyring, clock, settings } = lab;
  return rebuildLedger({ store, registry, encryption, keyring, clock, settings }, { ...nothing, ...wish }, signal);
}

/** What people ask of the features whose settings are backed up. */
export function services(lab: Lab, sealer = lab.sealer) {
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
export async function fill(lab: Lab) {
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
  const broker = { url: 'mqtt://127.0.0.1:9', topic: 'x', username: 'user', password: 'a password' };
  await hooks.add('home', 'mqtt', broker, 't');
  return { key, secret, revoked: revoked.key, boss, hookSecret: made.secret! };
}

/** Everything that is backed up beside objects, as it is seen from outside, with secrets opened. */
export async function everything(lab: Lab) {
  const users = await lab.store.read((reader) => listUsers(reader, { limit: 1_000 }));
  const keys = await lab.store.read((reader) => listKeys(reader, { limit: 1_000 }));
  const grants = await lab.store.read((reader) => reader.rows('select * from grants order by user_id, bucket', []));
  const books = await lab.store.read((reader) => listBooks(reader, { after: '', limit: 100 }));
  const { hooks } = services(lab);
  const rows = await lab.store.read((reader) => reader.rows<TargetRow>(allTargets, []));
  const targets = rows.map((row) => openTarget(lab.sealer, row));
  const reach = targets.map(({ kind, state, settings, secrets: of }) => ({ kind, state, ...settings, ...of }));
  const access = new StoreAccess({ store: lab.store, sealer: lab.sealer });
  const secrets = [];
  for (const { accessKey } of keys) secrets.push((await access.findKey(accessKey))?.secret ?? null);
  await access.close();
  const limits = books.map(({ subject, limits: of }) => ({ subject, of }));
  return { users, keys, secrets, grants, limits, reach, subscriptions: await hooks.subscriptions() };
}

const tables = ['users', 'access_keys', 'grants', 'quota_books', 'notification_targets', 'notification_subscriptions'];

export async function assertNone(lab: Lab): Promise<void> {
  for (const table of tables) assert.equal(await count(lab.store, table), 0, table);
}

export async function lose(
  engine: StoreEngine,
  lab: Lab,
  keys: RootKeys | null,
  backends = lab.backends,
): Promise<Lab> {
  await lab.close();
  return openLab(engine, backends, keys);
}

/** Puts a backup of these lines beside what stands, as if it came later. */
export async function putBackup(
  lab: Lab,
  lines: readonly BackupLine[],
  isEncrypted = true,
  generation = 'led-z',
): Promise<void> {
  const { registry, clock, encryption } = lab;
  const onError = (error: unknown) => assert.fail(String(error));
  const writer = new BackupWriter(
    { registry, clock, coding: { encryption, isEncrypted }, onError },
    generation,
    1,
    signal,
  );
  for (const line of lines) await writer.add(line);
  await writer.add({ t: 'as-of', atMs: clock.nowMs() });
  await writer.flush(true);
}

export async function linesNow(lab: Lab): Promise<BackupLine[]> {
  const { store, settings, encryption, keyring } = lab;
  const coding = { encryption, isEncrypted: keyring !== null };
  const onError = (error: unknown) => assert.fail(String(error));
  return [
    ...(await Array.fromAsync(linesOfSettings({ store, settings, coding, onError }))),
    ...(await Array.fromAsync(linesOfAll(store))),
  ];
}

/** All that the backup on the first backend tells, decoded. */
export async function toldBy({ registry, encryption }: Lab): Promise<string> {
  const found = await findBackup(registry.all.slice(0, 1), signal);
  const told = [];
  for (const blob of found!.blobs) told.push(...(await linesOf(blob, encryption, signal))!.lines);
  return JSON.stringify(told);
}

export const isUser = (line: BackupLine): line is SettingLine => line.t === 'setting' && line.kind === 'user';
export const notesOf = ({ findings }: { findings: readonly { kind: string; detail: string }[] }) =>
  findings.filter(({ kind }) => kind === 'setting').map(({ detail }) => detail);
