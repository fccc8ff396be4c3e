import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { LockRule } from '../bucket.ts';
import { s3CodeOf } from '../errors.ts';
import { type Retention, lockActions, lockFor, retentionModes, withRetention } from './lock-rules.ts';
import {
  parseLegalHold,
  parseLockConfiguration,
  parseRetention,
  writeLegalHold,
  writeLockConfiguration,
  writeRetention,
} from './lock-xml.ts';
import { parseXml } from './xml/reader.ts';
import { writeDocument } from './xml/writer.ts';

const refusedAs = (code: string) => (error: unknown) => error instanceof HoldfastError && s3CodeOf(error) === code;
const nowMs = Date.UTC(2030, 0, 31, 12);
const dayMs = 86_400_000;
const headersOf = (headers: Record<string, string>) => (name: string) => headers[name];
const mode = 'x-amz-object-lock-mode';
const until = 'x-amz-object-lock-retain-until-date';
const hold = 'x-amz-object-lock-legal-hold';
const locked = { isLockEnabled: true };
const open = { isLockEnabled: false };

describe('the lock of a new version', () => {
  const lock = (headers: Record<string, string>, settings: { isLockEnabled: boolean; lockRule?: LockRule } = locked) =>
    lockFor(headersOf(headers), settings, nowMs);

  test('is what its headers ask for', () => {
    const later = new Date(nowMs + dayMs).toISOString();
    const retention = { mode: 'COMPLIANCE', untilMs: nowMs + dayMs };
    assert.deepEqual(lock({ [mode]: 'COMPLIANCE', [until]: later }), { retention, isLegalHold: false });
    assert.deepEqual(lock({ [hold]: 'ON' }), { retention: null, isLegalHold: true });
    assert.deepEqual(lock({ [hold]: 'OFF' }), { retention: null, isLegalHold: false });
    assert.equal(lock({}), null);
    assert.equal(lock({}, open), null);
  });

  test('is what the rule of the bucket gives, unless headers ask for another', () => {
    const settings = { ...locked, lockRule: { mode: 'GOVERNANCE', days: 3 } as const };
    const given = { mode: 'GOVERNANCE', untilMs: nowMs + 3 * dayMs };
    assert.deepEqual(lock({}, settings), { retention: given, isLegalHold: false });
    assert.deepEqual(lock({ [hold]: 'ON' }, settings), { retention: given, isLegalHold: true });
    const later = new Date(nowMs + dayMs).toISOString();
    const asked = lock({ [mode]: 'COMPLIANCE', [until]: later }, settings);
    assert.deepEqual(asked?.retention, { mode: 'COMPLIANCE', untilMs: nowMs + dayMs });
    assert.equal(lock({}, { ...settings, isLockEnabled: false }), null);
  });

  test('lasts years of the calendar', () => {
    const years = (count: number) => lock({}, { ...locked, lockRule: { mode: 'GOVERNANCE', years: count } });
    assert.equal(years(2)?.retention?.untilMs, Date.UTC(2032, 0, 31, 12));
  });

  test('is refused when its headers are not whole, not valid or in the past', () => {
    const later = new Date(nowMs + dayMs).toISOString();
    const cases = [
      { [mode]: 'COMPLIANCE' },
      { [until]: later },
      { [mode]: 'compliance', [until]: later },
      { [mode]: 'COMPLIANCE', [until]: 'tomorrow' },
      { [mode]: 'COMPLIANCE', [until]: new Date(nowMs).toISOString() },
      { [hold]: 'yes' },
    ];
    for (const headers of cases) {
      assert.throws(() => lock(headers), refusedAs('InvalidArgument'), JSON.stringify(headers));
    }
    assert.throws(() => lock({ [hold]: 'OFF' }, open), refusedAs('InvalidRequest'));
    assert.throws(() => lock({ [mode]: 'COMPLIANCE', [until]: later }, open), refusedAs('InvalidRequest'));
  });

  test('needs a permission for each of its parts', () => {
    assert.deepEqual(lockActions(headersOf({})), []);
    assert.deepEqual(lockActions(headersOf({ [mode]: 'COMPLIANCE' })), ['s3:PutObjectRetention']);
    assert.deepEqual(lockActions(headersOf({ [until]: '', [hold]: '' })), [
      's3:PutObjectRetention',
      's3:PutObjectLegalHold',
    ]);
  });
});

describe('a change of retention', () => {
  const retention = fc.record(
    { mode: fc.constantFrom(...retentionModes), untilMs: fc.integer({ min: nowMs - dayMs, max: nowMs + dayMs }) },
    { noNullPrototype: true },
  );
  const change = (current: Retention | null, wanted: Retention | null, isBypassing: boolean) => {
    try {
      return withRetention({ retention: current, isLegalHold: true }, wanted, { nowMs, isBypassing }).retention;
    } catch (error) {
      assert.ok(refusedAs('AccessDenied')(error));
      return 'refused';
    }
  };

  test('never weakens compliance that still runs, whoever asks', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: nowMs + 1, max: nowMs + dayMs }),
        fc.option(retention),
        fc.boolean(),
        (untilMs, wanted, isBypassing) => {
          const outcome = change({ mode: 'COMPLIANCE', untilMs }, wanted, isBypassing);
          const isStronger = wanted?.mode === 'COMPLIANCE' && wanted.untilMs >= untilMs;
          assert.deepEqual(outcome, isStronger ? wanted : 'refused');
        },
      ),
    );
  });

  test('weakens governance only for who bypasses it', () => {
    fc.assert(
      fc.property(fc.integer({ min: nowMs + 1, max: nowMs + dayMs }), fc.option(retention), (untilMs, wanted) => {
        const current = { mode: 'GOVERNANCE', untilMs } as const;
        assert.deepEqual(change(current, wanted, true), wanted);
        const isLonger = wanted?.mode === 'GOVERNANCE' && wanted.untilMs >= untilMs;
        assert.deepEqual(change(current, wanted, false), isLonger ? wanted : 'refused');
      }),
    );
  });

  test('is free where there is none, or it is over', () => {
    fc.assert(
      fc.property(fc.option(retention), (wanted) => {
        assert.deepEqual(change(null, wanted, false), wanted);
        assert.deepEqual(change({ mode: 'COMPLIANCE', untilMs: nowMs }, wanted, false), wanted);
      }),
    );
  });
});

describe('the documents of object lock', () => {
  const configuration = (inner: string) =>
    parseLockConfiguration(
      parseXml(
        `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${inner}</ObjectLockConfiguration>`,
      ),
    );
  const rule = (inner: string) => configuration(`<Rule><DefaultRetention>${inner}</DefaultRetention></Rule>`);

  test('are the same after they were written and read', () => {
    const rules: (LockRule | null)[] = [
      null,
      { mode: 'GOVERNANCE', days: 1 },
      { mode: 'COMPLIANCE', days: 36_500 },
      { mode: 'COMPLIANCE', years: 100 },
    ];
    for (const one of rules) {
      assert.deepEqual(parseLockConfiguration(parseXml(writeDocument(writeLockConfiguration(one)))), one);
    }
    for (const one of [true, false]) {
      assert.equal(parseLegalHold(parseXml(writeDocument(writeLegalHold(one)))), one);
    }
    const retention = { mode: 'GOVERNANCE', untilMs: nowMs + 1 } as const;
    assert.deepEqual(parseRetention(parseXml(writeDocument(writeRetention(retention))), nowMs), retention);
    assert.equal(parseRetention(parseXml('<Retention/>'), nowMs), null);
  });

  test('are refused when they are not whole or not valid', () => {
    const malformed = [
      () => parseLockConfiguration(parseXml('<ObjectLockConfiguration/>')),
      () => configuration('<Rule/>'),
      () => configuration('<Other/>'),
      () => rule('<Days>1</Days>'),
      () => rule('<Mode>GOVERNANCE</Mode>'),
      () => rule('<Mode>governance</Mode><Days>1</Days>'),
      () => rule('<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>'),
      () => rule('<Mode>GOVERNANCE</Mode><Days>1.5</Days>'),
      () => parseRetention(parseXml('<Retention><Mode>GOVERNANCE</Mode></Retention>'), nowMs),
      () => parseRetention(parseXml('<Retention><RetainUntilDate>2031-01-01</RetainUntilDate></Retention>'), nowMs),
      () =>
        parseRetention(
          parseXml('<Retention><Mode>abc</Mode><RetainUntilDate>2031-01-01</RetainUntilDate></Retention>'),
          nowMs,
        ),
      () => parseLegalHold(parseXml('<LegalHold/>')),
      () => parseLegalHold(parseXml('<LegalHold><Status>abc</Status></LegalHold>')),
    ];
    for (const parse of malformed) assert.throws(parse, refusedAs('MalformedXML'), parse.toString());
    for (const period of ['<Days>0</Days>', '<Days>-1</Days>', '<Days>36501</Days>', '<Years>101</Years>']) {
      assert.throws(() => rule(`<Mode>GOVERNANCE</Mode>${period}`), refusedAs('InvalidArgument'), period);
    }
    const past = '<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2029-01-01</RetainUntilDate></Retention>';
    assert.throws(() => parseRetention(parseXml(past), nowMs), refusedAs('InvalidArgument'));
  });
});
