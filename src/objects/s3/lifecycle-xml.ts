import type { XmlElement } from './command.ts';
import type { LifecycleFilter, LifecycleRule } from './lifecycle-rules.ts';
import type { NoncurrentTransition, Transition } from './lifecycle-transitions.ts';
import { writeTag } from './tags.ts';

/** The `LifecycleConfiguration` of rules. Reading it again gives the same rules. */
export function writeLifecycle(rules: readonly LifecycleRule[]): XmlElement {
  return { name: 'LifecycleConfiguration', children: rules.map(writeRule) };
}

function writeRule(rule: LifecycleRule): XmlElement {
  const { filter, noncurrentExpiration: noncurrent, abortUploadsAfterDays: abort } = rule;
  return {
    name: 'Rule',
    children: [
      { name: 'ID', text: rule.id },
      rule.hasOwnPrefix ? { name: 'Prefix', text: filter.prefix ?? '' } : writeFilter(filter),
      { name: 'Status', text: rule.isEnabled ? 'Enabled' : 'Disabled' },
      ...writeExpiration(rule.expiration),
      ...(rule.transitions ?? []).map(writeTransition),
      ...(noncurrent === undefined
        ? []
        : [
            {
              name: 'NoncurrentVersionExpiration',
              children: [
                ...number('NoncurrentDays', noncurrent.days),
                ...number('NewerNoncurrentVersions', noncurrent.versionsKept),
              ],
            },
          ]),
      ...(rule.noncurrentTransitions ?? []).map(writeNoncurrentTransition),
      ...(abort === undefined
        ? []
        : [{ name: 'AbortIncompleteMultipartUpload', children: number('DaysAfterInitiation', abort) }]),
    ],
  };
}

function writeFilter({ prefix, tags, sizeGreaterThan, sizeLessThan }: LifecycleFilter): XmlElement {
  const parts = [
    ...(prefix === undefined ? [] : [{ name: 'Prefix', text: prefix }]),
    ...Object.entries(tags ?? {}).map(([key, value]) => writeTag(key, value)),
    ...number('ObjectSizeGreaterThan', sizeGreaterThan),
    ...number('ObjectSizeLessThan', sizeLessThan),
  ];
  return { name: 'Filter', children: parts.length > 1 ? [{ name: 'And', children: parts }] : parts };
}

function writeExpiration(expiration: LifecycleRule['expiration']): readonly XmlElement[] {
  if (expiration === undefined) return [];
  const child: XmlElement =
    'days' in expiration
      ? { name: 'Days', text: String(expiration.days) }
      : 'atMs' in expiration
        ? { name: 'Date', text: new Date(expiration.atMs).toISOString() }
        : { name: 'ExpiredObjectDeleteMarker', text: 'true' };
  return [{ name: 'Expiration', children: [child] }];
}

function writeTransition(transition: Transition): XmlElement {
  const when: XmlElement =
    'days' in transition
      ? { name: 'Days', text: String(transition.days) }
      : { name: 'Date', text: new Date(transition.atMs).toISOString() };
  return { name: 'Transition', children: [when, { name: 'StorageClass', text: transition.storageClass }] };
}

function writeNoncurrentTransition({ days, versionsKept, storageClass }: NoncurrentTransition): XmlElement {
  return {
    name: 'NoncurrentVersionTransition',
    children: [
      ...number('NoncurrentDays', days),
      ...number('NewerNoncurrentVersions', versionsKept),
      { name: 'StorageClass', text: storageClass },
    ],
  };
}

function number(name: string, value: number | undefined): readonly XmlElement[] {
  return value === undefined ? [] : [{ name, text: String(value) }];
}
