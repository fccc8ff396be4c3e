import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { s3CodeOf } from '../errors.ts';
import { type LifecycleRule, parseLifecycle } from './lifecycle-rules.ts';
import { writeLifecycle } from './lifecycle-xml.ts';
import { parseXml } from './xml/reader.ts';
import { writeDocument } from './xml/writer.ts';

const refusedAs = (code: string) => (error: unknown) => error instanceof HoldfastError && s3CodeOf(error) === code;
const parse = (rules: string) => parseLifecycle(parseXml(`<LifecycleConfiguration>${rules}</LifecycleConfiguration>`));
const move = (when: string, value: string, to: string) =>
  `<Transition><${when}>${value}</${when}><StorageClass>${to}</StorageClass></Transition>`;
const rule = (inner: string) => `<Rule><Status>Enabled</Status>${inner}</Rule>`;
const days = '<Expiration><Days>1</Days></Expiration>';
const tag = (key: string) => `<Tag><Key>${key}</Key><Value>v</Value></Tag>`;

const dayCount = fc.integer({ min: 1, max: 2_147_483_647 });
const plain = fc.stringMatching(/^[a-zA-Z0-9/]{1,20}$/);
const filter = fc.oneof(
  fc.record({ prefix: plain }, { requiredKeys: [], noNullPrototype: true }),
  fc.record(
    {
      prefix: plain,
      tags: fc.dictionary(plain, plain, { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
      sizeGreaterThan: fc.nat(1000),
      sizeLessThan: fc.integer({ min: 1002, max: 9000 }),
    },
    { requiredKeys: ['prefix'], noNullPrototype: true },
  ),
);
const actions = fc.record(
  {
    expiration: fc.oneof(
      fc.record({ days: dayCount }, { noNullPrototype: true }),
      fc.nat(20_000).map((count) => ({ atMs: count * 86_400_000 })),
    ),
    noncurrentExpiration: fc.record(
      { days: dayCount, versionsKept: fc.integer({ min: 1, max: 100 }) },
      { requiredKeys: ['days'], noNullPrototype: true },
    ),
  },
  { requiredKeys: ['expiration'], noNullPrototype: true },
);
const rules = fc.uniqueArray(
  fc
    .tuple(plain, fc.boolean(), filter, actions)
    .map(([id, isEnabled, where, what]) => ({ id, isEnabled, filter: where, hasOwnPrefix: false, ...what })),
  { minLength: 1, maxLength: 5, selector: ({ id }) => id },
);

describe('a lifecycle configuration', () => {
  test('is the same after it was written and read', () => {
    fc.assert(
      fc.property(rules, (some) => {
        assert.deepEqual(parseLifecycle(parseXml(writeDocument(writeLifecycle(some as LifecycleRule[])))), some);
      }),
    );
    const others = parse(
      rule(`<ID>a</ID><Prefix>old/</Prefix>${days}`) +
        rule(
          '<ID>b</ID><Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>' +
            '<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>',
        ),
    );
    assert.deepEqual(others, [
      { id: 'a', isEnabled: true, filter: { prefix: 'old/' }, hasOwnPrefix: true, expiration: { days: 1 } },
      {
        id: 'b',
        isEnabled: true,
        filter: {},
        hasOwnPrefix: false,
        expiration: { isMarkerOnly: true },
        abortUploadsAfterDays: 7,
      },
    ]);
    assert.deepEqual(parseLifecycle(parseXml(writeDocument(writeLifecycle(others)))), others);
  });

  test('gives IDs to rules without', () => {
    const [one, other] = parse(rule(`<Filter/>${days}`) + rule(`<ID/><Filter/>${days}`));
    assert.ok(one !== undefined && other !== undefined && one.id !== '' && other.id !== '' && one.id !== other.id);
  });

  test('is refused when it is not whole or not valid', () => {
    const noncurrent = (inner: string) =>
      rule(`<Filter/><NoncurrentVersionExpiration>${inner}</NoncurrentVersionExpiration>`);
    const expiring = (inner: string) => rule(`<Filter/><Expiration>${inner}</Expiration>`);
    const filtered = (inner: string, action = days) => rule(`<Filter>${inner}</Filter>${action}`);
    const abort =
      '<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>';
    const marker = '<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>';
    const cases: [string, string][] = [
      ['', 'MalformedXML'],
      [`<Rule><Filter/>${days}</Rule>`, 'MalformedXML'],
      [`<Rule><Status>enabled</Status><Filter/>${days}</Rule>`, 'MalformedXML'],
      [rule(days), 'MalformedXML'],
      [rule(`<Filter/><Prefix/>${days}`), 'MalformedXML'],
      [rule('<Filter/>'), 'InvalidRequest'],
      [expiring('<ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker>'), 'InvalidRequest'],
      [filtered(`<Prefix>a</Prefix>${tag('b')}`), 'MalformedXML'],
      [filtered('<And/>'), 'MalformedXML'],
      [filtered('<Size>1</Size>'), 'MalformedXML'],
      [filtered(`<And>${tag('b')}${tag('b')}</And>`), 'InvalidTag'],
      [filtered(`<And>${Array.from({ length: 11 }, (_, index) => tag(`k${index}`)).join('')}</And>`), 'InvalidTag'],
      [
        filtered(
          '<And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And>',
        ),
        'InvalidArgument',
      ],
      [filtered(`<Prefix>${'ä'.repeat(513)}</Prefix>`), 'InvalidArgument'],
      [filtered(tag('b'), abort), 'InvalidRequest'],
      [filtered(tag('b'), marker), 'InvalidRequest'],
      [expiring(''), 'MalformedXML'],
      [expiring('<Days>0</Days>'), 'InvalidArgument'],
      [expiring('<Days>-3</Days>'), 'InvalidArgument'],
      [expiring('<Days>x</Days>'), 'MalformedXML'],
      [expiring('<Days>1</Days><Date>2030-01-01</Date>'), 'MalformedXML'],
      [expiring('<Date>20300101</Date>'), 'MalformedXML'],
      [expiring('<Date>2030-01-01T01:00:00Z</Date>'), 'InvalidArgument'],
      [noncurrent(''), 'MalformedXML'],
      [noncurrent('<NoncurrentDays>0</NoncurrentDays>'), 'InvalidArgument'],
      [
        noncurrent('<NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions>'),
        'InvalidArgument',
      ],
      [rule(`<Filter/>${move('Days', '1', 'STANDARD')}`), 'MalformedXML'],
      [rule('<Filter/><Transition><Days>1</Days></Transition>'), 'MalformedXML'],
      [rule('<Filter/><Transition><StorageClass>COLD</StorageClass></Transition>'), 'MalformedXML'],
      [rule(`<Filter/>${move('Days', '-1', 'COLD')}`), 'InvalidArgument'],
      [rule(`<Filter/>${move('Date', '2030-01-01T01:00:00Z', 'COLD')}`), 'InvalidArgument'],
      [rule(`<Filter/>${move('Days', '1', 'COLD')}${move('Days', '2', 'COLD')}`), 'InvalidRequest'],
      [rule(`<Filter/>${move('Days', '1', 'COLD')}${move('Date', '2030-01-01T00:00:00Z', 'DEEP')}`), 'InvalidRequest'],
      [
        rule(`<Filter/>${move('Date', '2030-01-01T00:00:00Z', 'COLD')}<Expiration><Days>9</Days></Expiration>`),
        'InvalidRequest',
      ],
      [rule(`<Filter/>${move('Days', '9', 'COLD')}<Expiration><Days>9</Days></Expiration>`), 'InvalidArgument'],
      [rule(`<ID>${'i'.repeat(256)}</ID><Filter/>${days}`), 'InvalidArgument'],
      [rule(`<ID>same</ID><Filter/>${days}`).repeat(2), 'InvalidArgument'],
      [rule(`<Filter/>${days}`).repeat(1001), 'MalformedXML'],
    ];
    for (const [text, code] of cases) assert.throws(() => parse(text), refusedAs(code), text.slice(0, 300));
    assert.equal(parse(rule(`<Filter/>${days}`).repeat(1000)).length, 1000);
  });
});
