import type { Event } from '../../../kernel/events/event.ts';
import type { Bucket, NotificationRule } from '../../bucket.ts';

/** The version of S3's records that has tagging and lifecycle among its events. */
const eventVersion = '2.3';
const schemaVersion = '1.0';

/** Not `aws:s3`: consumers tell by it who speaks, and by the type of the CloudEvent that it is an S3 event. */
export const eventSource = 'holdfast:s3';

/**
 * The record of what happened to an object
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html). `eventName` is without `s3:`.
 */
export function eventRecord(
  event: Event,
  eventName: string,
  { bucket, rule, region }: { readonly bucket: Bucket; readonly rule: NotificationRule; readonly region: string },
): Readonly<Record<string, unknown>> {
  const { key, version_id: versionId, size_bytes: size, etag: eTag } = event.data;
  const to = eventName === 'LifecycleTransition' ? event.data['storage_class'] : undefined;
  const isThere = !/^(ObjectRemoved|LifecycleExpiration):/.test(eventName);
  return {
    eventVersion,
    eventSource,
    awsRegion: region,
    eventTime: new Date(event.createdAtMs).toISOString(),
    eventName,
    userIdentity: { principalId: event.actor },
    requestParameters: {},
    responseElements: {},
    s3: {
      s3SchemaVersion: schemaVersion,
      configurationId: rule.id,
      bucket: {
        name: bucket.name,
        ownerIdentity: { principalId: bucket.owner },
        arn: `arn:aws:s3:::${bucket.name}`,
      },
      object: {
        key: encodeKey(String(key)),
        ...(isThere ? { size, eTag } : {}),
        // As it was when the event was written: the bucket may keep versions since.
        ...(versionId === 'null' ? {} : { versionId }),
        sequencer: sequencerOf(event.seq),
      },
    },
    ...(to === undefined ? {} : { lifecycleEventData: { transitionEventData: { destinationStorageClass: to } } }),
  };
}

/** What is sent to each target when a configuration is set, as AWS does. */
export function testRecord(event: Event, bucket: string): Readonly<Record<string, unknown>> {
  return {
    Service: 'Holdfast S3',
    Event: 's3:TestEvent',
    Time: new Date(event.createdAtMs).toISOString(),
    Bucket: bucket,
  };
}

/** As forms are encoded, but with its slashes: consumers decode it so. */
export function encodeKey(key: string): string {
  const encode = (part: string) =>
    encodeURIComponent(part)
      .replaceAll(/[!'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
      .replaceAll('%20', '+');
  return key.split('/').map(encode).join('/');
}

/** Of two events of one key the later one has the greater sequencer, compared as texts. */
function sequencerOf(seq: number): string {
  return seq.toString(16).toUpperCase().padStart(16, '0');
}
