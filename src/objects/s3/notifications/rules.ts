import { randomUUID } from 'node:crypto';
import type { NotificationRule } from '../../bucket.ts';
import { objectError } from '../../errors.ts';
import { keyBytesMax } from '../../keys.ts';
import type { XmlElement } from '../command.ts';
import { childOf, childrenOf, expectElement, malformed, requiredText, textIn, textsIn } from '../xml/find.ts';
import { haveCommonEvent, isEventName } from './event-names.ts';

/**
 * The notification configuration of a bucket
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html).
 */

export const notificationXmlBytesMax = 262_144;
const rulesMax = 100;
const idLengthMax = 255;
const eventsMax = 20;

const kinds = ['Topic', 'Queue', 'CloudFunction'] as const;
type Kind = NotificationRule['kind'];

const services: Readonly<Record<Kind, string>> = { Topic: 'sns', Queue: 'sqs', CloudFunction: 'lambda' };

/**
 * The rules of a `NotificationConfiguration`; one without an Id is given one. Throws `MalformedXML`, `NotImplemented` for
 * EventBridge, and `InvalidArgument` as AWS does: for an event or destination that cannot be, and for rules that overlap.
 */
export function parseNotifications(root: XmlElement): readonly NotificationRule[] {
  const names = kinds.map((kind) => `${kind}Configuration`);
  expectElement(root, 'NotificationConfiguration', [...names, 'EventBridgeConfiguration']);
  if (childOf(root, 'EventBridgeConfiguration') !== undefined) {
    throw objectError(
      'NotImplemented',
      {},
      'There is no EventBridge here: name a target by a topic, queue or function.',
    );
  }
  const rules = kinds.flatMap((kind) =>
    childrenOf(root, `${kind}Configuration`).map((element) => parseRule(kind, element)),
  );
  if (rules.length > rulesMax) throw bad('NotificationConfiguration', `There can be at most ${rulesMax} rules.`);
  if (new Set(rules.map(({ id }) => id)).size < rules.length) throw bad('Id', 'Two rules have the same Id.');
  requireApart(rules);
  return rules;
}

function parseRule(kind: Kind, element: XmlElement): NotificationRule {
  expectElement(element, `${kind}Configuration`, ['Id', kind, 'Event', 'Filter']);
  const id = textIn(element, 'Id') ?? '';
  if (id.length > idLengthMax) throw bad('Id', `An Id has at most ${idLengthMax} characters.`);
  const arn = requiredText(element, kind);
  const events = textsIn(element, 'Event');
  if (events.length === 0 || events.length > eventsMax)
    throw malformed(`There are 1 to ${eventsMax} Events in a rule.`);
  const unknown = events.find((name) => !isEventName(name));
  if (unknown !== undefined)
    throw bad('Event', `The event ${unknown.slice(0, 100)} is not supported for notifications.`);
  return { id: id === '' ? randomUUID() : id, kind, arn, target: targetOf(kind, arn), events, ...parseFilter(element) };
}

/** `arn:aws:sns:region:account:name`; for a function the name comes after `function:`. Region and account are the client's. */
function targetOf(kind: Kind, arn: string): string {
  const parts = arn.split(':');
  const isFunction = kind === 'CloudFunction' && parts.length === 7 && parts[5] === 'function';
  const isOfKind = parts[0] === 'arn' && parts[2] === services[kind] && (parts.length === 6 || isFunction);
  const name = parts.at(-1)!;
  if (isOfKind && /^[\w-]{1,100}$/.test(name)) return name;
  const example = `arn:aws:${services[kind]}:us-east-1:holdfast:NAME`;
  throw bad(kind, `The ARN is not well formed: it is like ${example}, where NAME is a notification target.`);
}

type Filter = Pick<NotificationRule, 'prefix' | 'suffix'>;

function parseFilter(rule: XmlElement): Filter {
  const filter = childOf(rule, 'Filter');
  if (filter === undefined) return {};
  const key = childOf(expectElement(filter, 'Filter', ['S3Key']), 'S3Key');
  if (key === undefined) return {};
  const parsed: { prefix?: string; suffix?: string } = {};
  for (const element of childrenOf(expectElement(key, 'S3Key', ['FilterRule']), 'FilterRule')) {
    expectElement(element, 'FilterRule', ['Name', 'Value']);
    const name = requiredText(element, 'Name').toLowerCase();
    const value = textIn(element, 'Value') ?? '';
    if (name !== 'prefix' && name !== 'suffix')
      throw bad('FilterRule.Name', 'A filter rule is named prefix or suffix.');
    if (parsed[name] !== undefined) throw bad('FilterRule.Name', `There can be one ${name} rule in a filter.`);
    if (Buffer.byteLength(value) > keyBytesMax) {
      throw bad('FilterRule.Value', `The value of a filter rule has at most ${keyBytesMax} bytes.`);
    }
    parsed[name] = value;
  }
  return parsed;
}

/** Nothing that happens to an object may be told by two rules, as in AWS. */
function requireApart(rules: readonly NotificationRule[]): void {
  for (const [index, one] of rules.entries()) {
    for (const other of rules.slice(index + 1)) {
      const isShared = one.events.some((event) => other.events.some((name) => haveCommonEvent(event, name)));
      if (!isShared || !canMatchOneKey(one, other)) continue;
      const sentence =
        'Configurations overlap. Configurations on the same bucket cannot share a common event type for the same keys: ' +
        `${one.id} and ${other.id} do.`;
      throw bad('Event', sentence);
    }
  }
}

/** Whether there is a key with both prefixes and both suffixes: one of each pair contains the other. */
export function canMatchOneKey(one: Filter, other: Filter): boolean {
  const [prefix, otherPrefix] = [one.prefix ?? '', other.prefix ?? ''];
  const [suffix, otherSuffix] = [one.suffix ?? '', other.suffix ?? ''];
  const isPrefixShared = prefix.startsWith(otherPrefix) || otherPrefix.startsWith(prefix);
  return isPrefixShared && (suffix.endsWith(otherSuffix) || otherSuffix.endsWith(suffix));
}

/** Whether a rule is about a key. */
export function isAboutKey({ prefix = '', suffix = '' }: Filter, key: string): boolean {
  return key.startsWith(prefix) && key.endsWith(suffix);
}

/** The `NotificationConfiguration` of rules. Reading it again gives the same rules. */
export function writeNotifications(rules: readonly NotificationRule[]): XmlElement {
  return { name: 'NotificationConfiguration', children: rules.map(writeRule) };
}

function writeRule({ id, kind, arn, events, prefix, suffix }: NotificationRule): XmlElement {
  const filters = Object.entries({ prefix, suffix }).flatMap(([name, value]) =>
    value === undefined
      ? []
      : [
          {
            name: 'FilterRule',
            children: [
              { name: 'Name', text: name },
              { name: 'Value', text: value },
            ],
          },
        ],
  );
  return {
    name: `${kind}Configuration`,
    children: [
      { name: 'Id', text: id },
      { name: kind, text: arn },
      ...events.map((text) => ({ name: 'Event', text })),
      ...(filters.length === 0 ? [] : [{ name: 'Filter', children: [{ name: 'S3Key', children: filters }] }]),
    ],
  };
}

function bad(argument: string, sentence: string): Error {
  return objectError('InvalidArgument', { argument }, sentence);
}
