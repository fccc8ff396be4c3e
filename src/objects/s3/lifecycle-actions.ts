import { objectError } from '../errors.ts';
import type { XmlElement } from './command.ts';
import { type NoncurrentTransition, type Transition, parseTransitions } from './lifecycle-transitions.ts';
import { midnight, noncurrentDaysIn, positive, versionsKeptIn } from './lifecycle-values.ts';
import { childOf, expectElement, integerIn, malformed, textIn, wordIn } from './xml/find.ts';

/** What a lifecycle rule does; at least one of them is there. */
export interface LifecycleActions {
  /** For current versions: after so many days, from a day on (its midnight, UTC), or for markers that hide nothing. */
  readonly expiration?: { readonly days: number } | { readonly atMs: number } | { readonly isMarkerOnly: true };
  readonly noncurrentExpiration?: {
    readonly days: number;
    /** How many noncurrent versions are kept in spite of their age. */
    readonly versionsKept?: number;
  };
  readonly abortUploadsAfterDays?: number;
  readonly transitions?: readonly Transition[];
  readonly noncurrentTransitions?: readonly NoncurrentTransition[];
}

/** The actions in a `Rule`. Throws `MalformedXML`, `InvalidArgument`, and `InvalidRequest` for what cannot go together. */
export function parseActions(rule: XmlElement, { hasTags }: { readonly hasTags: boolean }): LifecycleActions {
  const expiration = parseExpiration(rule);
  const noncurrentExpiration = parseNoncurrent(rule);
  const abortUploadsAfterDays = parseAbort(rule);
  const moving = parseTransitions(rule, { expiration, noncurrentExpiration });
  const ending = [expiration, noncurrentExpiration, abortUploadsAfterDays];
  if (ending.every((one) => one === undefined) && Object.keys(moving).length === 0) {
    throw objectError('InvalidRequest', {}, 'A rule needs at least one action.');
  }
  if (hasTags && abortUploadsAfterDays !== undefined) {
    throw objectError('InvalidRequest', {}, 'AbortIncompleteMultipartUpload cannot be in a rule with tags.');
  }
  if (hasTags && expiration !== undefined && 'isMarkerOnly' in expiration) {
    throw objectError('InvalidRequest', {}, 'ExpiredObjectDeleteMarker cannot be in a rule with tags.');
  }
  return {
    ...(expiration === undefined ? {} : { expiration }),
    ...(noncurrentExpiration === undefined ? {} : { noncurrentExpiration }),
    ...(abortUploadsAfterDays === undefined ? {} : { abortUploadsAfterDays }),
    ...moving,
  };
}

function parseExpiration(rule: XmlElement): LifecycleActions['expiration'] {
  const element = childOf(rule, 'Expiration');
  if (element === undefined) return undefined;
  expectElement(element, 'Expiration', ['Days', 'Date', 'ExpiredObjectDeleteMarker']);
  const [days, date] = [integerIn(element, 'Days'), textIn(element, 'Date')];
  const marker = wordIn(element, 'ExpiredObjectDeleteMarker', ['true', 'false']);
  if ([days, date, marker].filter((one) => one !== undefined).length !== 1) {
    throw malformed('Expiration has one of Days, Date and ExpiredObjectDeleteMarker.');
  }
  if (days !== undefined) return { days: positive('Days', days) };
  if (date !== undefined) return { atMs: midnight(date) };
  // `false` says that nothing is to expire.
  return marker === 'true' ? { isMarkerOnly: true } : undefined;
}

function parseNoncurrent(rule: XmlElement): LifecycleActions['noncurrentExpiration'] {
  const name = 'NoncurrentVersionExpiration';
  const element = childOf(rule, name);
  if (element === undefined) return undefined;
  expectElement(element, name, ['NoncurrentDays', 'NewerNoncurrentVersions']);
  return { days: positive('NoncurrentDays', noncurrentDaysIn(element)), ...versionsKeptIn(element) };
}

function parseAbort(rule: XmlElement): number | undefined {
  const name = 'AbortIncompleteMultipartUpload';
  const element = childOf(rule, name);
  if (element === undefined) return undefined;
  const days = integerIn(expectElement(element, name, ['DaysAfterInitiation']), 'DaysAfterInitiation');
  if (days === undefined) throw malformed(`${name} needs DaysAfterInitiation.`);
  return positive('DaysAfterInitiation', days);
}
