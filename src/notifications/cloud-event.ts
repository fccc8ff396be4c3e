import type { Event } from '../kernel/events/event.ts';
import type { Notice } from '../kernel/events/notice.ts';
import { eventView } from '../kernel/events/routes.ts';

/** How a CloudEvent as a whole travels in JSON (CloudEvents 1.0, JSON format 3 and HTTP binding 3.2). */
export const cloudEventType = 'application/cloudevents+json';

/** The largest message. */
export const messageBytesMax = 262_144;

/** Before the types of our own events. */
const typePrefix = 'io.holdfast.';

/** The attributes of a CloudEvent (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md). */
interface CloudEvent {
  readonly specversion: '1.0';
  /** Unique together with `source`, and the same however often the event is delivered. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: Readonly<Record<string, unknown>>;
}

/** An event as subscribers are told it: its data is the event as the API gives it. One that is too large loses its details. */
export function eventMessage(event: Event, source: string): string {
  const about = {
    id: String(event.id),
    source,
    type: typePrefix + event.type,
    subject: event.resource,
    timeMs: event.createdAtMs,
  };
  const text = write({ ...about, data: eventView(event) });
  if (Buffer.byteLength(text) <= messageBytesMax) return text;
  return write({ ...about, data: { ...eventView(event), data: {}, is_shortened: true } });
}

/** A notice of a feature; `null` for one that is too large to be told. */
export function noticeMessage({ eventId, source, type, subject, timeMs, data }: Notice): string | null {
  const text = write({ id: String(eventId), source, type, subject, timeMs, data });
  return Buffer.byteLength(text) <= messageBytesMax ? text : null;
}

/** What a test of a target sends. */
export function testMessage(id: string, target: string, source: string, timeMs: number): string {
  const data = { target, text: 'This is a test. Nothing happened.' };
  const subject = `notification-target:${target}`;
  return write({ id, source, type: `${typePrefix}notification_target.test`, subject, timeMs, data });
}

function write({
  id,
  source,
  type,
  subject,
  timeMs,
  data,
}: Pick<CloudEvent, 'id' | 'source' | 'type' | 'subject' | 'data'> & { readonly timeMs: number }): string {
  const event: CloudEvent = {
    specversion: '1.0',
    id,
    source,
    type,
    subject,
    time: new Date(timeMs).toISOString(),
    datacontenttype: 'application/json',
    data,
  };
  return JSON.stringify(event);
}
