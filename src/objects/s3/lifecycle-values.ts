import { objectError } from '../errors.ts';
import type { XmlElement } from './command.ts';
import { parseTime } from './times.ts';
import { integerIn, malformed } from './xml/find.ts';

/** Values that stand in several actions of lifecycle rules. */

const dayMs = 86_400_000;
const versionsKeptMax = 100;
const daysMax = 2_147_483_647;

/** A day, as its midnight in UTC. */
export function midnight(text: string): number {
  const timeMs = parseTime(text);
  if (timeMs === null) throw malformed('Date is a time as ISO 8601 writes it.');
  if (timeMs % dayMs !== 0) throw objectError('InvalidArgument', { argument: 'Date' }, 'Date is at midnight, UTC.');
  return timeMs;
}

export function noncurrentDaysIn(element: XmlElement): number {
  const days = integerIn(element, 'NoncurrentDays');
  if (days === undefined) throw malformed(`${element.name} needs NoncurrentDays.`);
  return days;
}

/** How many noncurrent versions an action passes by, where it says so. */
export function versionsKeptIn(element: XmlElement): { readonly versionsKept?: number } {
  const kept = integerIn(element, 'NewerNoncurrentVersions');
  return kept === undefined ? {} : { versionsKept: positive('NewerNoncurrentVersions', kept, versionsKeptMax) };
}

export function positive(argument: string, value: number, max = daysMax): number {
  return within(argument, value, 1, max);
}

/** Zero days are the midnight that comes next. */
export function notNegative(argument: string, value: number): number {
  return within(argument, value, 0, daysMax);
}

function within(argument: string, value: number, min: number, max: number): number {
  if (value < min || value > max) {
    throw objectError('InvalidArgument', { argument }, `${argument} is from ${min} to ${max}.`);
  }
  return value;
}
