import type { Event } from '../../../kernel/events/event.ts';
import type { Notice, NoticeSource } from '../../../kernel/events/notice.ts';
import type { Store } from '../../../kernel/store/store.ts';
import type { Bucket } from '../../bucket.ts';
import { findBucket } from '../../queries/queries.ts';
import { eventNameOf, isNamed, testEventName } from './event-names.ts';
import { encodeKey, eventRecord, eventSource, testRecord } from './record.ts';
import { isAboutKey } from './rules.ts';

/**
 * What buckets tell by their notification configurations, as the CloudEvents adapter for S3 has it
 * (https://github.com/cloudevents/spec/blob/main/cloudevents/adapters/aws-s3.md).
 */
export function bucketNotices(store: Store, region: string): NoticeSource {
  return {
    async noticesOf(events) {
      const about = events.filter(({ type }) => type.startsWith('object.') || type === 'bucket.changed');
      const names = new Set(about.map(bucketOf));
      const buckets = new Map<string, Bucket | null>();
      for (const name of names) buckets.set(name, await store.read((reader) => findBucket(reader, name)));
      return about.flatMap((event) => {
        const bucket = buckets.get(bucketOf(event)) ?? null;
        return bucket === null ? [] : noticesOf(event, bucket, region);
      });
    },
  };
}

function bucketOf({ data }: Event): string {
  return String(data['bucket']);
}

/** The notices of one event, by the settings of its bucket; pure. */
export function noticesOf(event: Event, bucket: Bucket, region: string): readonly Notice[] {
  const rules = bucket.settings.notifications ?? [];
  if (rules.length === 0) return [];
  const source = `${eventSource}.${region}.${bucket.name}`;
  const shared = { eventId: event.id, resource: event.resource, source, timeMs: event.createdAtMs };
  if (event.type === 'bucket.changed') {
    const changed = event.data['changed'];
    if (!Array.isArray(changed) || !changed.includes('notifications')) return [];
    const targets = new Set(rules.map(({ target }) => target));
    const data = testRecord(event, bucket.name);
    return [...targets].map((target) => ({
      ...shared,
      target,
      type: typeOf(testEventName),
      subject: bucket.name,
      data,
    }));
  }
  const happened = eventNameOf(event.type, event.data['cause']);
  if (happened === null) return [];
  const key = String(event.data['key']);
  const wanting = rules.filter((rule) => rule.events.some((name) => isNamed(name, happened)) && isAboutKey(rule, key));
  return wanting.map((rule) => ({
    ...shared,
    target: rule.target,
    type: typeOf(happened),
    subject: encodeKey(key),
    data: eventRecord(event, happened.slice(happened.indexOf(':') + 1), { bucket, rule, region }),
  }));
}

function typeOf(eventName: string): string {
  return `com.amazonaws.s3.${eventName.slice(eventName.indexOf(':') + 1)}`;
}
