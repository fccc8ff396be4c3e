import { objectError } from '../errors.ts';
import { standardClass } from '../storage-class.ts';
import type { XmlElement } from './command.ts';
import { midnight, noncurrentDaysIn, notNegative, versionsKeptIn } from './lifecycle-values.ts';
import { childrenOf, expectElement, integerIn, malformed, textIn } from './xml/find.ts';

/** Into another storage class: after so many days, or from a day on (its midnight, UTC). */
export type Transition = ({ readonly days: number } | { readonly atMs: number }) & { readonly storageClass: string };

export interface NoncurrentTransition {
  readonly days: number;
  /** How many noncurrent versions stay where they are in spite of their age. */
  readonly versionsKept?: number;
  readonly storageClass: string;
}

interface Transitions {
  readonly transitions?: readonly Transition[];
  readonly noncurrentTransitions?: readonly NoncurrentTransition[];
}

type Moment = { readonly days: number } | { readonly atMs: number };

/** What ends versions by the same rule. */
interface Endings {
  readonly expiration: Moment | { readonly isMarkerOnly: true } | undefined;
  readonly noncurrentExpiration: { readonly days: number } | undefined;
}

/**
 * The transitions in a `Rule`, as AWS has them: a class once for each kind of version, days or dates and not both, and what
 * ends a version comes after what moves it. Whether there is such a class is not looked at. Throws `MalformedXML`,
 * `InvalidArgument` and `InvalidRequest`.
 */
export function parseTransitions(rule: XmlElement, endings: Endings): Transitions {
  const transitions = childrenOf(rule, 'Transition').map(parseTransition);
  const noncurrentTransitions = childrenOf(rule, 'NoncurrentVersionTransition').map(parseNoncurrent);
  requireOnePerClass('Transition', transitions);
  requireOnePerClass('NoncurrentVersionTransition', noncurrentTransitions);
  requireOrder(transitions, endings.expiration);
  const { noncurrentExpiration: end } = endings;
  if (end !== undefined && noncurrentTransitions.some(({ days }) => days >= end.days)) {
    throw tooEarly('NoncurrentDays', 'NoncurrentVersionExpiration', 'NoncurrentVersionTransition');
  }
  return {
    ...(transitions.length === 0 ? {} : { transitions }),
    ...(noncurrentTransitions.length === 0 ? {} : { noncurrentTransitions }),
  };
}

function parseTransition(element: XmlElement): Transition {
  expectElement(element, 'Transition', ['Days', 'Date', 'StorageClass']);
  const [days, date] = [integerIn(element, 'Days'), textIn(element, 'Date')];
  if ((days === undefined) === (date === undefined)) throw malformed('Transition has one of Days and Date.');
  const storageClass = classIn(element);
  return days === undefined
    ? { atMs: midnight(date!), storageClass }
    : { days: notNegative('Days', days), storageClass };
}

function parseNoncurrent(element: XmlElement): NoncurrentTransition {
  const names = ['NoncurrentDays', 'NewerNoncurrentVersions', 'StorageClass'];
  expectElement(element, 'NoncurrentVersionTransition', names);
  const days = notNegative('NoncurrentDays', noncurrentDaysIn(element));
  return { days, ...versionsKeptIn(element), storageClass: classIn(element) };
}

function classIn(element: XmlElement): string {
  const storageClass = textIn(element, 'StorageClass');
  if (storageClass === undefined || storageClass === '') throw malformed(`${element.name} needs a StorageClass.`);
  if (storageClass === standardClass) throw malformed(`Nothing moves to ${standardClass} by a rule.`);
  return storageClass;
}

function requireOnePerClass(name: string, transitions: readonly { readonly storageClass: string }[]): void {
  if (new Set(transitions.map(({ storageClass }) => storageClass)).size === transitions.length) return;
  throw objectError('InvalidRequest', {}, `A rule has one ${name} at most for each StorageClass.`);
}

/** Days and dates do not go together in one rule, and what is to expire is moved before. */
function requireOrder(transitions: readonly Transition[], expiration: Endings['expiration']): void {
  const isTimed = expiration !== undefined && !('isMarkerOnly' in expiration);
  const all = isTimed ? [...transitions, expiration] : transitions;
  const inDays = all.filter((one) => 'days' in one).length;
  if (inDays !== 0 && inDays !== all.length) {
    const message = 'A rule has Days or Dates in its Expiration and Transition actions, and not both.';
    throw objectError('InvalidRequest', {}, message);
  }
  if (!isTimed) return;
  if (transitions.some((one) => timeOf(one) >= timeOf(expiration))) {
    throw tooEarly('days' in expiration ? 'Days' : 'Date', 'Expiration', 'Transition');
  }
}

function timeOf(action: Moment): number {
  return 'days' in action ? action.days : action.atMs;
}

function tooEarly(argument: string, later: string, earlier: string): Error {
  return objectError('InvalidArgument', { argument }, `${argument} of ${later} is after that of each ${earlier}.`);
}
