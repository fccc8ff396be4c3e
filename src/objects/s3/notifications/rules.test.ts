import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from '../../errors.ts';
import { parseXml } from '../xml/reader.ts';
import { writeDocument } from '../xml/writer.ts';
import { isEventName, isNamed } from './event-names.ts';
import { encodeKey } from './record.ts';
import { canMatchOneKey, isAboutKey, parseNotifications, writeNotifications } from './rules.ts';

const arn = 'arn:aws:sns:us-east-1:holdfast:hook';
const topic = (inner: string) => `<TopicConfiguration><Topic>${arn}</Topic>${inner}</TopicConfiguration>`;
const created = '<Event>s3:ObjectCreated:*</Event>';
const filter = (name: string, value: string) => `<FilterRule><Name>${name}</Name><Value>${value}</Value></FilterRule>`;
const filtered = (rules: string) => `<Filter><S3Key>${rules}</S3Key></Filter>`;
const parse = (inner: string) =>
  parseNotifications(parseXml(`<NotificationConfiguration>${inner}</NotificationConfiguration>`));

const text = fc.stringMatching(/^[ab/.]{0,4}$/);
const part = fc.record({ prefix: text, suffix: text }, { requiredKeys: [] });

describe('filters of keys', () => {
  test('that both match a key are found to overlap', () => {
    fc.assert(
      fc.property(part, part, fc.stringMatching(/^[ab/.]{0,8}$/), (one, other, key) => {
        if (isAboutKey(one, key) && isAboutKey(other, key)) assert.equal(canMatchOneKey(one, other), true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('that overlap have a key that both match', () => {
    const longer = (one = '', other = '') => (one.length > other.length ? one : other);
    fc.assert(
      fc.property(part, part, (one, other) => {
        if (!canMatchOneKey(one, other)) return;
        const key = `${longer(one.prefix, other.prefix)}x${longer(one.suffix, other.suffix)}`;
        assert.ok(isAboutKey(one, key) && isAboutKey(other, key), key);
      }),
    );
  });
});

describe('a notification configuration', () => {
  test('is read, and written so that it reads the same', () => {
    const rules = parse(
      `${topic(`<Id>one</Id>${created}${filtered(filter('prefix', 'a/') + filter('Suffix', '.jpg'))}`)}
       <QueueConfiguration><Id>two</Id><Queue>arn:aws:sqs:us-east-1:holdfast:line</Queue><Event>s3:ObjectRemoved:Delete</Event></QueueConfiguration>
       <CloudFunctionConfiguration><CloudFunction>arn:aws:lambda:us-east-1:holdfast:function:run</CloudFunction>
       <Event>s3:ObjectTagging:*</Event><Event>s3:LifecycleExpiration:Delete</Event></CloudFunctionConfiguration>`,
    );
    assert.deepEqual(
      rules.map(({ kind, target, prefix, suffix }) => [kind, target, prefix, suffix]),
      [
        ['Topic', 'hook', 'a/', '.jpg'],
        ['Queue', 'line', undefined, undefined],
        ['CloudFunction', 'run', undefined, undefined],
      ],
    );
    assert.match(rules[2]!.id, /^[\w-]{36}$/);
    assert.deepEqual(parseNotifications(parseXml(writeDocument(writeNotifications(rules)))), rules);
    assert.deepEqual(parse(''), []);
  });

  const apart = [
    topic(`<Id>a</Id>${created}${filtered(filter('prefix', 'a/'))}`) +
      topic(`<Id>b</Id>${created}${filtered(filter('prefix', 'b/'))}`),
    topic(`<Id>a</Id>${created}${filtered(filter('suffix', '.jpg'))}`) +
      topic(`<Id>b</Id>${created}${filtered(filter('suffix', '.png'))}`),
    topic('<Id>a</Id><Event>s3:ObjectCreated:Put</Event>') + topic('<Id>b</Id><Event>s3:ObjectCreated:Copy</Event>'),
  ];
  for (const [index, inner] of apart.entries())
    test(`may have rules apart: ${index}`, () => assert.equal(parse(inner).length, 2));

  const wrong: readonly [string, string, string][] = [
    ['NotImplemented', 'EventBridge', '<EventBridgeConfiguration/>'],
    ['InvalidArgument', 'an unknown event', topic('<Event>s3:Replication:*</Event>')],
    [
      'InvalidArgument',
      'the same event for the same keys',
      topic(`<Id>a</Id>${created}`) + topic('<Id>b</Id><Event>s3:ObjectCreated:Put</Event>'),
    ],
    [
      'InvalidArgument',
      'prefixes that contain one another',
      topic(`<Id>a</Id>${created}${filtered(filter('prefix', 'a'))}`) +
        topic(`<Id>b</Id>${created}${filtered(filter('prefix', 'ab'))}`),
    ],
    [
      'InvalidArgument',
      'the same Id twice',
      topic(`<Id>a</Id>${created}`) + topic('<Id>a</Id><Event>s3:ObjectRemoved:*</Event>'),
    ],
    [
      'InvalidArgument',
      'two prefixes in a filter',
      topic(created + filtered(filter('prefix', 'a') + filter('prefix', 'b'))),
    ],
    ['InvalidArgument', 'an unknown filter', topic(created + filtered(filter('regex', 'a')))],
    [
      'InvalidArgument',
      'a queue as a topic',
      `<QueueConfiguration><Queue>${arn}</Queue>${created}</QueueConfiguration>`,
    ],
    ['InvalidArgument', 'what is no ARN', `<TopicConfiguration><Topic>hook</Topic>${created}</TopicConfiguration>`],
    ['MalformedXML', 'no event', topic('')],
    ['MalformedXML', 'no topic', `<TopicConfiguration>${created}</TopicConfiguration>`],
    ['MalformedXML', 'what is not known', '<Other/>'],
  ];
  for (const [code, about, inner] of wrong) {
    test(`is refused with ${code}: ${about}`, () => {
      assert.throws(
        () => parse(inner),
        (error) => s3CodeOf(error) === code,
      );
    });
  }
});

test('a star stands for all events of a family', () => {
  assert.ok(
    isNamed('s3:ObjectCreated:*', 's3:ObjectCreated:Post') && !isNamed('s3:ObjectCreated:*', 's3:ObjectRemoved:Delete'),
  );
  assert.deepEqual(['s3:ObjectCreated:*', 's3:*', 's3:ObjectCreated:Nothing', 's3:TestEvent'].map(isEventName), [
    true,
    false,
    false,
    true,
  ]);
});

test('keys are encoded as forms are, with their slashes', () => {
  assert.equal(encodeKey('a b/ü+(1)*.jpg'), 'a+b/%C3%BC%2B%281%29*.jpg');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (key) =>
      assert.equal(decodeURIComponent(encodeKey(key).replaceAll('+', ' ')), key),
    ),
  );
});
