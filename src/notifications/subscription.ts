import type { Event } from '../kernel/events/event.ts';

/** Which events a target is told of; pure. */
export interface Subscription {
  readonly name: string;
  readonly target: string;
  /** Event types, exactly or up to a `*` at the end. Any of them. */
  readonly types: readonly string[];
  /** Beginnings of resources, such as `volume:` or `object:photos/`. Any of them; none is every resource. */
  readonly resources: readonly string[];
  readonly createdAtMs: number;
}

/** How many subscriptions there may be. */
export const subscriptionsMax = 500;

/** What a type in a subscription looks like: words with dots, and at most one `*`, which is its end. */
export const typePattern = '^(\\*|[a-z0-9_.:-]{1,100}\\*?)$';

/** Whether it is about such an event. */
export function isWanted({ types, resources }: Pick<Subscription, 'types' | 'resources'>, event: Event): boolean {
  const isOfType = types.some((type) =>
    type.endsWith('*') ? event.type.startsWith(type.slice(0, -1)) : event.type === type,
  );
  return isOfType && (resources.length === 0 || resources.some((prefix) => event.resource.startsWith(prefix)));
}
