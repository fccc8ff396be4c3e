import type { Event } from '../../kernel/events/event.ts';
import type { Notice } from '../../kernel/events/notice.ts';
import { eventMessage, noticeMessage } from '../cloud-event.ts';
import { type Subscription, isWanted } from '../subscription.ts';
import type { Target } from '../target.ts';
import type { NewDelivery } from './dispatch.ts';

/** How many messages are entered in one transaction, as long as they are of more than one event. */
const deliveriesMax = 2_000;

/**
 * What is to be delivered of these events, in their order, and the id of the last event that this covers. A target is told
 * of an event once, however many of its subscriptions want it; a notice is another message.
 */
export function match(
  events: readonly Event[],
  targets: ReadonlyMap<string, Target>,
  subscriptions: readonly Subscription[],
  notices: readonly Notice[],
): { readonly deliveries: readonly NewDelivery[]; readonly throughId: number | null } {
  const noticesOf = Map.groupBy(notices, ({ eventId }) => eventId);
  const deliveries: NewDelivery[] = [];
  let throughId: number | null = null;
  for (const event of events) {
    const ofEvent = [
      ...ofSubscriptions(event, targets, subscriptions),
      ...(noticesOf.get(event.id) ?? []).flatMap((notice) => ofNotice(notice, targets)),
    ];
    if (throughId !== null && deliveries.length + ofEvent.length > deliveriesMax) break;
    deliveries.push(...ofEvent);
    throughId = event.id;
  }
  return { deliveries, throughId };
}

function ofSubscriptions(
  event: Event,
  targets: ReadonlyMap<string, Target>,
  subscriptions: readonly Subscription[],
): NewDelivery[] {
  const wanting = subscriptions.filter((one) => targets.has(one.target) && isWanted(one, event));
  const { id: eventId, resource, type } = event;
  return [...new Set(wanting.map(({ target }) => target))].map((target) => {
    const body = eventMessage(event, targets.get(target)!.settings.source);
    return { target, eventId, resource, type, body };
  });
}

function ofNotice(notice: Notice, targets: ReadonlyMap<string, Target>): NewDelivery[] {
  const { target, eventId, resource, type } = notice;
  const body = targets.has(target) ? noticeMessage(notice) : null;
  return body === null ? [] : [{ target, eventId, resource, type, body }];
}
