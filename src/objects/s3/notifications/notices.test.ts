import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../../kernel/events/event.ts';
import { type Bucket, type NotificationRule, defaultBucketSettings } from '../../bucket.ts';
import { noticesOf } from './notices.ts';

const rule: NotificationRule = {
  id: 'r',
  kind: 'Topic',
  arn: 'arn:aws:sns:us-east-1:holdfast:hook',
  target: 'hook',
  events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:*', 's3:LifecycleExpiration:*'],
  suffix: '.jpg',
};

function bucket(rules: readonly NotificationRule[]): Bucket {
  const settings = { ...defaultBucketSettings, notifications: rules };
  return { name: 'photos', owner: 'user-1', settings, version: 1, createdAtMs: 0 };
}

function event(type: string, data: Readonly<Record<string, unknown>> = {}, key = 'a.jpg'): Event {
  const about = { bucket: 'photos', key, version_id: 'null', size_bytes: 3, etag: 'e', ...data };
  const resource = `object:photos/${key}`;
  return { id: 9, seq: 255, resource, type, data: about, operationId: null, actor: 'me', createdAtMs: 0 };
}

const typesOf = (one: Event, rules = [rule]) =>
  noticesOf(one, bucket(rules), 'us-east-1').map(({ type }) => type.replace('com.amazonaws.s3.', ''));

test('events have the names of S3, by what caused them', () => {
  assert.deepEqual(typesOf(event('object.created', { cause: 'post' })), ['ObjectCreated:Post']);
  // Of before causes were told.
  assert.deepEqual(typesOf(event('object.created')), ['ObjectCreated:Put']);
  assert.deepEqual(typesOf(event('object.deleted')), ['ObjectRemoved:Delete']);
  assert.deepEqual(typesOf(event('object.marked_deleted', { cause: 'delete' })), ['ObjectRemoved:DeleteMarkerCreated']);
  assert.deepEqual(typesOf(event('object.deleted', { cause: 'lifecycle' })), ['LifecycleExpiration:Delete']);
  const marked = event('object.marked_deleted', { cause: 'lifecycle' });
  assert.deepEqual(typesOf(marked), ['LifecycleExpiration:DeleteMarkerCreated']);
});

test('only what a rule is about is told, and to whom it says', () => {
  assert.deepEqual(typesOf(event('object.created', {}, 'a.png')), []);
  assert.deepEqual(typesOf(event('object.tagged', { cause: 'put' })), []);
  assert.deepEqual(typesOf(event('object.lock_changed')), []);
  assert.deepEqual(typesOf(event('object.created'), []), []);
  const other = { ...rule, id: 's', target: 'line', suffix: '.png' };
  const notices = noticesOf(event('object.created', {}, 'b.png'), bucket([rule, other]), 'us-east-1');
  assert.deepEqual(
    notices.map(({ target, eventId, resource }) => [target, eventId, resource]),
    [['line', 9, 'object:photos/b.png']],
  );
});

test('a removal tells neither size nor ETag, and sequencers grow with the events of a key', () => {
  const [notice] = noticesOf(event('object.deleted'), bucket([rule]), 'us-east-1');
  const { object } = notice!.data['s3'] as { readonly object: Readonly<Record<string, unknown>> };
  assert.deepEqual(object, { key: 'a.jpg', sequencer: '00000000000000FF' });
});

test('a version is told as it was named when it was made, whatever its bucket does with versions since', () => {
  const { settings, ...rest } = bucket([rule]);
  for (const versioning of ['off', 'enabled', 'suspended'] as const) {
    const now = { ...rest, settings: { ...settings, versioning } };
    const told = ['null', 'v-1'].map((id) => {
      const [notice] = noticesOf(event('object.created', { version_id: id }), now, 'us-east-1');
      return (notice!.data['s3'] as { readonly object: Readonly<Record<string, unknown>> }).object['versionId'];
    });
    assert.deepEqual(told, [undefined, 'v-1'], versioning);
  }
});

test('a configuration that was set is told once to each target, and no other change of the bucket', () => {
  const rules = [rule, { ...rule, id: 's', events: ['s3:ObjectTagging:Put'] }];
  const changed = (names: readonly string[]) => event('bucket.changed', { changed: names });
  assert.deepEqual(typesOf(changed(['notifications']), rules), ['TestEvent']);
  assert.deepEqual(typesOf(changed(['tags']), rules), []);
  assert.deepEqual(typesOf(event('bucket.changed'), rules), []);
});
