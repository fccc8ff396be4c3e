import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type Bucket, defaultBucketSettings } from '../bucket.ts';
import { type AccessRequest, type Permission, type S3Action, permissions } from './access.ts';
import { type Need, knownActions, needOf } from './actions.ts';
import { type PolicyVerdict, type Profile, isAllowed, permissionsOn } from './decide.ts';
import { isActionPattern } from './policy/actions.ts';

const alice = { id: 'usr-alice', name: 'alice' };
const bucket: Bucket = {
  name: 'photos',
  owner: 'usr-olga',
  settings: defaultBucketSettings,
  version: 1,
  createdAtMs: 0,
};
const owned: Bucket = { ...bucket, owner: alice.id };

function request(action: S3Action, more: Partial<AccessRequest> = {}): AccessRequest {
  return { user: alice, action, bucket, key: null, context: {}, ...more };
}

function profile(grants: Readonly<Record<string, readonly Permission[]>> = {}, isAdmin = false): Profile {
  return { isAdmin, grants: new Map(Object.entries(grants)) };
}

/** One action of each kind. */
const oneOf: Readonly<Record<Exclude<Need, 'create' | 'user'>, S3Action>> = {
  list: 's3:ListBucket',
  read: 's3:GetObject',
  write: 's3:PutObject',
  delete: 's3:DeleteObject',
  tags: 's3:PutObjectTagging',
  owner: 's3:PutBucketVersioning',
};

describe('what an action needs', () => {
  const table: readonly (readonly [Need, string])[] = [
    ['list', 'ListBucket ListBucketVersions ListBucketMultipartUploads ListMultipartUploadParts GetBucketLocation'],
    ['read', 'GetObject GetObjectVersion GetObjectAttributes GetObjectRetention GetObjectLegalHold'],
    ['write', 'PutObject PutObjectRetention PutObjectLegalHold AbortMultipartUpload'],
    ['delete', 'DeleteObject DeleteObjectVersion'],
    ['tags', 'GetObjectTagging PutObjectTagging DeleteObjectTagging GetObjectVersionTagging PutBucketTagging'],
    ['owner', 'DeleteBucket PutBucketPolicy DeleteBucketPolicy PutBucketVersioning PutBucketCORS'],
    ['owner', 'PutLifecycleConfiguration PutBucketObjectLockConfiguration PutBucketPublicAccessBlock'],
    ['owner', 'BypassGovernanceRetention'],
    ['create', 'CreateBucket'],
    ['user', 'ListAllMyBuckets'],
  ];
  for (const [need, names] of table) {
    test(`${need}: ${names}`, () => {
      for (const name of names.split(' ')) assert.equal(needOf(`s3:${name}`), need, name);
    });
  }

  test('is one thing for each action, and each action is one of S3', () => {
    const actions = knownActions();
    assert.equal(new Set(actions).size, actions.length);
    const ofNoPolicy = ['s3:ListAllMyBuckets', 's3:HeadBucket'];
    const unknown = actions.filter((action) => !isActionPattern(action.toLowerCase()));
    assert.deepEqual(unknown.toSorted(), ofNoPolicy.toSorted());
  });

  test('is not known for what is no action, also where it looks like one', () => {
    for (const action of ['s3:Nothing', 's3:', 's3:*', 's3:getobject', 's3:GetObject ', 's3:constructor'] as const) {
      assert.equal(needOf(action), null, action);
    }
  });
});

describe('a request is allowed', () => {
  const permissionSets = fc.subarray([...permissions]);

  test('by grants: exactly what was granted, and nothing of how the bucket works', () => {
    fc.assert(
      fc.property(permissionSets, (granted) => {
        const known = profile({ photos: granted });
        for (const permission of permissions) {
          assert.equal(isAllowed(request(oneOf[permission]), known, 'none'), granted.includes(permission), permission);
        }
        assert.equal(isAllowed(request(oneOf.owner), known, 'none'), false);
      }),
    );
  });

  test('by the grant on every bucket, unless the bucket has a grant of its own', () => {
    fc.assert(
      fc.property(permissionSets, permissionSets, (everywhere, here) => {
        const known = profile({ '*': everywhere, photos: here });
        for (const permission of permissions) {
          const ask = (name: string) =>
            isAllowed(request(oneOf[permission], { bucket: { ...bucket, name } }), known, 'none');
          assert.equal(ask('photos'), here.includes(permission));
          assert.equal(ask('others'), everywhere.includes(permission));
        }
      }),
    );
    assert.deepEqual(permissionsOn(profile({ '*': ['read'], photos: [] }), 'photos'), []);
  });

  const cases: readonly (readonly [string, boolean, AccessRequest, Profile | null, PolicyVerdict])[] = [
    ['an owner all, without any grant', true, request('s3:DeleteBucket', { bucket: owned }), null, 'none'],
    ['an admin all', true, request('s3:DeleteBucket'), profile({}, true), 'none'],
    ['an admin to make buckets', true, request('s3:CreateBucket', { bucket: null }), profile({}, true), 'none'],
    ['nobody an unknown action', false, request('s3:Nothing', { bucket: owned }), profile({}, true), 'allow'],
    ['a user without a profile nothing', false, request('s3:GetObject'), null, 'none'],
    ['a user without grants nothing', false, request('s3:GetObject'), profile(), 'none'],
    ['any user to list buckets', true, request('s3:ListAllMyBuckets', { bucket: null }), null, 'none'],
    [
      'nobody without a signature to list buckets',
      false,
      request('s3:ListAllMyBuckets', { user: null, bucket: null }),
      null,
      'none',
    ],
    [
      'whoever may write everywhere to make buckets',
      true,
      request('s3:CreateBucket', { bucket: null }),
      profile({ '*': ['write'] }),
      'none',
    ],
    [
      'whoever may only read everywhere not to',
      false,
      request('s3:CreateBucket', { bucket: null }),
      profile({ '*': ['read'] }),
      'none',
    ],
    [
      'whoever may write in one bucket not to',
      false,
      request('s3:CreateBucket', { bucket: null }),
      profile({ photos: ['write'] }),
      'none',
    ],
    ['nothing in no bucket', false, request('s3:GetObject', { bucket: null }), profile({ '*': ['read'] }), 'none'],
    [
      'governance to be bypassed by no grant',
      false,
      request('s3:BypassGovernanceRetention'),
      profile({ '*': permissions }),
      'none',
    ],
    [
      'governance to be bypassed by the owner',
      true,
      request('s3:BypassGovernanceRetention', { bucket: owned }),
      null,
      'none',
    ],
    ['what the policy allows', true, request('s3:GetObject'), null, 'allow'],
    ['what the policy allows, also of the bucket', true, request('s3:PutBucketCORS'), null, 'allow'],
    [
      'not what the policy denies to who was granted it',
      false,
      request('s3:GetObject'),
      profile({ '*': ['read'] }),
      'deny',
    ],
    ['not what the policy denies to an admin', false, request('s3:GetObject'), profile({}, true), 'deny'],
    ['not what the policy denies to the owner', false, request('s3:GetObject', { bucket: owned }), null, 'deny'],
    [
      'the owner to change the policy that denies all',
      true,
      request('s3:PutBucketPolicy', { bucket: owned }),
      null,
      'deny',
    ],
    [
      'the owner to remove the policy that denies all',
      true,
      request('s3:DeleteBucketPolicy', { bucket: owned }),
      null,
      'deny',
    ],
    ['not an admin to change a policy that denies it', false, request('s3:PutBucketPolicy'), profile({}, true), 'deny'],
    ['nothing without a signature', false, request('s3:GetObject', { user: null }), null, 'none'],
    ['without a signature what the policy allows', true, request('s3:GetObject', { user: null }), null, 'allow'],
    ['without a signature nothing that is denied', false, request('s3:GetObject', { user: null }), null, 'deny'],
    [
      'without a signature never what only owners may',
      false,
      request('s3:DeleteBucket', { user: null }),
      null,
      'allow',
    ],
  ];
  for (const [what, expected, asked, known, verdict] of cases) {
    test(`or not: ${what}`, () => assert.equal(isAllowed(asked, known, verdict), expected));
  }

  test('never without a signature because of whom a bucket belongs to', () => {
    const nobodys = { ...bucket, owner: '' };
    for (const action of knownActions()) {
      assert.equal(isAllowed(request(action, { user: null, bucket: nobodys }), null, 'none'), false, action);
    }
  });
});
