import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBytes } from 'node:crypto';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { createIdSource, systemClock } from '../../kernel/ids.ts';
import { toSecretKey } from '../../kernel/secrets/secret-key.ts';
import { createSealer } from '../../kernel/secrets/sealer.ts';
import { kernelMigration } from '../../kernel/store/migrations/0001_kernel.ts';
import { openStore } from '../../kernel/store/open.ts';
import type { Store } from '../../kernel/store/store.ts';
import { type Bucket, type BucketSettings, defaultBucketSettings } from '../bucket.ts';
import { s3CodeOf } from '../errors.ts';
import { accessMigration } from '../migrations/0004_access.ts';
import type { AccessRequest, S3Action, User } from './access.ts';
import { revokeKey } from './changing/revoke-key.ts';
import { listKeys } from './queries.ts';
import { AccessService, type WantedKey } from './service.ts';
import { StoreAccess, type StoreAccessOptions } from './store-access.ts';

const sealer = createSealer(toSecretKey(Buffer.alloc(32, 1), 'test'));
const anyKey: WantedKey = { user: null, label: '', bucket: null, permissions: null };

function bucketOf(owner: string, settings: Partial<BucketSettings> = {}): Bucket {
  const { name, version, createdAtMs } = { name: 'photos', version: 1, createdAtMs: 0 };
  return { name, owner, settings: { ...defaultBucketSettings, ...settings }, version, createdAtMs };
}

function policy(...statements: readonly Readonly<Record<string, unknown>>[]): string {
  const all = statements.map((statement) => ({
    Resource: ['arn:aws:s3:::photos', 'arn:aws:s3:::photos/*'],
    ...statement,
  }));
  return JSON.stringify({ Version: '2012-10-17', Statement: all });
}

onEveryStore('access from the store', (engine) => {
  /** What a gateway has; `another` is a second process on the same data, where the engine allows one. */
  async function setup(more: Partial<StoreAccessOptions> = {}) {
    const settings = await engine.fresh([kernelMigration, accessMigration]);
    const store = await openStore(settings, { owner: true });
    const access = new StoreAccess({ store, sealer, ...more });
    const service = new AccessService({ store, sealer, newId: createIdSource(), clock: systemClock });
    const may = async (user: User | null, action: S3Action, bucket: Bucket | null, key: string | null = null) => {
      const request: AccessRequest = { user, action, bucket, key, context: {} };
      try {
        await access.authorize(request);
        return true;
      } catch (error) {
        assert.equal(s3CodeOf(error), 'AccessDenied');
        return false;
      }
    };
    return {
      settings,
      store,
      access,
      service,
      may,
      async [Symbol.asyncDispose]() {
        await access.close();
        await store.close();
      },
    };
  }

  test('finds a key with its secret and user, and no other', async () => {
    await using at = await setup();
    const { key, secret } = await at.service.createKey('test', anyKey);
    assert.match(key.accessKey, /^HF[A-Z2-7]{18}$/);
    assert.match(secret, /^[A-Za-z0-9]{40}$/);
    assert.deepEqual(await at.access.findKey(key.accessKey), {
      user: { id: key.userId, name: 'default' },
      secret,
    });
    for (const other of [
      '',
      'HF',
      `${key.accessKey} `,
      key.accessKey.toLowerCase(),
      'HFAAAAAAAAAAAAAAAAAA',
      'x\u0000',
    ]) {
      assert.equal(await at.access.findKey(other), null, JSON.stringify(other));
    }
  });

  test('keeps the secret sealed, and for its own row', async () => {
    await using at = await setup();
    const first = await at.service.createKey('test', anyKey);
    const second = await at.service.createKey('test', anyKey);
    const rows = await at.store.read((reader) =>
      reader.rows<Record<string, string>>('select * from access_keys order by access_key', []),
    );
    const text = JSON.stringify([rows, await at.store.read((reader) => reader.rows('select * from events', []))]);
    assert.ok(!text.includes(first.secret) && !text.includes(second.secret));
    const moved = rows.find((row) => row['access_key'] === second.key.accessKey)!['sealed_secret']!;
    assert.throws(() => sealer.open(moved, `access-key:${first.key.accessKey}`), /belongs to something else/);
  });

  test('failure 13: a secret that another key sealed is an error, not an unknown access key', async () => {
    await using at = await setup();
    const { key } = await at.service.createKey('test', anyKey);
    const stranger = createSealer(toSecretKey(randomBytes(32), 'test'));
    const access = new StoreAccess({ store: at.store, sealer: stranger });
    await assert.rejects(access.findKey(key.accessKey), { kind: 'internal', message: /was sealed with the key/ });
    await access.close();
  });

  test('ends a revoked key at once in this process', async () => {
    await using at = await setup({ monotonicMs: () => 0 });
    const { key } = await at.service.createKey('test', anyKey);
    assert.notEqual(await at.access.findKey(key.accessKey), null);
    await at.service.revokeKey('test', key.accessKey);
    assert.equal(await at.access.findKey(key.accessKey), null);
    await assert.rejects(at.service.revokeKey('test', key.accessKey), { kind: 'not_found' });
    const [row] = await at.store.read((reader) =>
      reader.rows<Record<string, unknown>>('select * from access_keys', []),
    );
    assert.equal(row!['sealed_secret'], null);
  });

  test('ends a key that another process revoked, told of it or not', async () => {
    let now = 0;
    await using at = await setup({ monotonicMs: () => now });
    const { key } = await at.service.createKey('test', anyKey);
    assert.notEqual(await at.access.findKey(key.accessKey), null);
    // Neither a message came, nor did time pass: what is known counts.
    await at.store.write(revokeKey, { accessKey: key.accessKey, cause: { actor: 'test', nowMs: 0 } });
    assert.notEqual(await at.access.findKey(key.accessKey), null);
    now = 1_000;
    assert.equal(await at.access.findKey(key.accessKey), null);
  });

  test('hears of changes in other processes', { skip: engine.server === null }, async () => {
    // The clock stands still, so that only the message can end what is known here.
    await using at = await setup({ monotonicMs: () => 0 });
    const other = await openStore(at.settings, { owner: true });
    const elsewhere = new AccessService({ store: other, sealer, newId: createIdSource(), clock: systemClock });
    const { key } = await at.service.createKey('test', anyKey);
    const user = (await at.access.findKey(key.accessKey))!.user;
    assert.equal(await at.may(user, 's3:GetObject', bucketOf('somebody')), true);
    // A message is sent again until this process listens, which it may not do yet.
    await until('the grant is taken back here', async () => {
      await elsewhere.setGrant('test', user.id, '*', ['list']);
      return !(await at.may(user, 's3:GetObject', bucketOf('somebody')));
    });
    await at.access.findKey(key.accessKey);
    await elsewhere.revokeKey('test', key.accessKey);
    await until('the key is ended here', async () => (await at.access.findKey(key.accessKey)) === null, 1_000);
    await other.close();
  });

  test('decides by ownership, grants and their changes', async () => {
    await using at = await setup({ monotonicMs: () => 0 });
    const { key } = await at.service.createKey('test', {
      ...anyKey,
      label: 'ann',
      bucket: 'photos',
      permissions: ['read'],
    });
    const ann: User = { id: key.userId, name: 'ann' };
    const foreign = bucketOf('usr-other');
    assert.equal(await at.may(ann, 's3:GetObject', foreign), true);
    assert.equal(await at.may(ann, 's3:PutObject', foreign), false);
    assert.equal(await at.may(ann, 's3:PutObject', bucketOf(ann.id)), true);
    assert.equal(await at.may(ann, 's3:CreateBucket', null), false);
    assert.equal(await at.access.maySee(ann, foreign), true);
    assert.equal(await at.access.maySee(ann, { ...foreign, name: 'others' }), false);
    await at.service.setGrant('test', 'ann', '*', ['list', 'write']);
    assert.equal(await at.may(ann, 's3:CreateBucket', null), true);
    assert.equal(await at.may(ann, 's3:PutObject', foreign), false);
    assert.equal(await at.may(ann, 's3:PutObject', { ...foreign, name: 'others' }), true);
    await at.service.removeGrant('test', ann.id, 'photos');
    assert.equal(await at.may(ann, 's3:PutObject', foreign), true);
    await at.service.setGrant('test', 'ann', 'photos', []);
    assert.equal(await at.access.maySee(ann, foreign), false);
    assert.equal(await at.may({ id: 'usr-gone', name: 'gone' }, 's3:GetObject', foreign), false);
    assert.equal(await at.access.maySee({ id: 'usr-gone', name: 'gone' }, foreign), false);
  });

  test('lets an admin into every bucket', async () => {
    await using at = await setup();
    const { id, name } = await at.service.createUser('test', 'root', true);
    assert.equal(await at.may({ id, name }, 's3:DeleteBucket', bucketOf('usr-other')), true);
    assert.equal(await at.may({ id, name }, 's3:Nothing', bucketOf('usr-other')), false);
    assert.equal(await at.access.maySee({ id, name }, bucketOf('usr-other')), true);
  });

  test('lets the policy of the bucket add and take away', async () => {
    await using at = await setup();
    const { id, name } = await at.service.createUser('test', 'ann', false);
    const ann = { id, name };
    const read = { Effect: 'Allow', Action: 's3:GetObject' };
    const open = bucketOf('usr-other', { policy: policy({ ...read, Principal: '*' }) });
    assert.equal(await at.may(null, 's3:GetObject', open, 'a'), true);
    assert.equal(await at.may(null, 's3:PutObject', open, 'a'), false);
    assert.equal(await at.may(null, 's3:GetObject', bucketOf('usr-other'), 'a'), false);
    // The same name and version with another policy is another bucket, and counts as that at once.
    const closed = bucketOf('usr-other', {
      policy: policy(
        { ...read, Principal: { AWS: ['arn:aws:iam:::user/ann'] } },
        { ...read, Effect: 'Deny', Principal: '*', Action: 's3:PutObject' },
      ),
    });
    assert.equal(await at.may(null, 's3:GetObject', closed, 'a'), false);
    assert.equal(await at.may(ann, 's3:GetObject', closed, 'a'), true);
    await at.service.setGrant('test', 'ann', '*', ['write']);
    assert.equal(await at.may(ann, 's3:PutObject', closed, 'a'), false);
    const locked = bucketOf(id, { policy: policy({ Effect: 'Deny', Principal: '*', Action: 's3:*' }) });
    assert.equal(await at.may(ann, 's3:GetObject', locked, 'a'), false);
    assert.equal(await at.may(ann, 's3:DeleteBucketPolicy', locked), true);
  });

  test('knows being there as being listed, in policies too', async () => {
    await using at = await setup();
    const { id, name } = await at.service.createUser('test', 'ann', false);
    await at.service.setGrant('test', 'ann', '*', ['list']);
    const hidden = bucketOf('usr-other', {
      policy: policy({ Effect: 'Deny', Principal: '*', Action: 's3:ListBucket' }),
    });
    assert.equal(await at.may({ id, name }, 's3:HeadBucket', bucketOf('usr-other')), true);
    assert.equal(await at.may({ id, name }, 's3:HeadBucket', hidden), false);
  });

  test('passes over what a policy allows to everyone while public access is blocked', async () => {
    await using at = await setup();
    const ann = { id: 'usr-ann', name: 'ann' };
    const text = policy(
      { Effect: 'Allow', Principal: '*', Action: 's3:GetObject' },
      { Effect: 'Allow', Principal: { AWS: ['arn:aws:iam:::user/ann'] }, Action: 's3:PutObject' },
      { Effect: 'Deny', Principal: '*', Action: 's3:DeleteObject' },
    );
    const open = bucketOf('usr-other', { policy: text });
    const blocked = bucketOf('usr-other', { policy: text, isAccessBlocked: true });
    assert.equal(await at.may(null, 's3:GetObject', open, 'a'), true);
    assert.equal(await at.may(null, 's3:GetObject', blocked, 'a'), false);
    assert.equal(await at.may(ann, 's3:GetObject', blocked, 'a'), false);
    assert.equal(await at.may(ann, 's3:PutObject', blocked, 'a'), true);
    assert.equal(await at.may({ id: 'usr-other', name: 'other' }, 's3:DeleteObject', blocked, 'a'), false);
    assert.equal(await at.may(null, 's3:GetObject', open, 'a'), true);
  });

  test('failure 12: a policy that cannot be read denies all but mending it', async () => {
    await using at = await setup();
    const owner = { id: 'usr-olga', name: 'olga' };
    const broken = bucketOf(owner.id, { policy: '{"Statement":' });
    assert.equal(await at.may(owner, 's3:GetObject', broken, 'a'), false);
    assert.equal(await at.may(null, 's3:GetObject', broken, 'a'), false);
    assert.equal(await at.may(owner, 's3:PutBucketPolicy', broken), true);
  });

  test('goes on with what is known while the store is away', { skip: engine.server === null }, async () => {
    let now = 0;
    const { access, service, store, may } = await setup({ monotonicMs: () => now });
    const { key } = await service.createKey('test', anyKey);
    const other = await service.createKey('test', anyKey);
    const found = (await access.findKey(key.accessKey))!;
    assert.equal(await may(found.user, 's3:GetObject', bucketOf('usr-other')), true);
    await store.close();
    now = 2_000;
    await assert.rejects(access.findKey(other.key.accessKey), { kind: 'unavailable' });
    assert.deepEqual(await access.findKey(key.accessKey), found);
    assert.equal(await may(found.user, 's3:GetObject', bucketOf('usr-other')), true);
    now = 300_000;
    await assert.rejects(access.findKey(key.accessKey), { kind: 'unavailable' });
    await assert.rejects(may(found.user, 's3:GetObject', bucketOf('usr-other')));
  });

  test('notes when a key was used, with one write a minute', async () => {
    let now = 1_000_000;
    await using at = await setup({ clock: { nowMs: () => now } });
    const { key } = await at.service.createKey('test', anyKey);
    const lastUse = async (store: Store = at.store) =>
      (await store.read((reader) => listKeys(reader, { limit: 1 })))[0]!.lastUsedAtMs;
    assert.equal(await lastUse(), null);
    at.access.noteUse(key.accessKey);
    await until('the use is noted', async () => (await lastUse()) === 1_000_000);
    now += 59_999;
    at.access.noteUse(key.accessKey);
    now += 1;
    at.access.noteUse(key.accessKey);
    await until('the later use is noted', async () => (await lastUse()) === 1_060_000);
    at.access.noteUse('HFAAAAAAAAAAAAAAAAAA');
  });
});
