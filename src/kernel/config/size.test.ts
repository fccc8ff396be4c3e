import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { formatSize, parseSize } from './size.ts';

const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
const anySize = fc.bigInt({ min: 0n, max: 2n ** 70n });

describe('sizes', () => {
  test('are read with a unit, or as bytes', () => {
    const cases = {
      '10GiB': 10n * 1024n ** 3n,
      '512MiB': 512n * 1024n ** 2n,
      '1GB': 10n ** 9n,
      '1.5KiB': 1536n,
      '10G': 10n * 1024n ** 3n,
      '4k': 4096n,
      '4096': 4096n,
      '7 B': 7n,
      '9007199254740993': 9_007_199_254_740_993n,
    };
    for (const [text, bytes] of Object.entries(cases)) assert.equal(parseSize(text), bytes, text);
  });

  test('of any other shape are refused with a sentence', () => {
    for (const text of ['', '-1', '1e9', 'GiB', '10 gigabytes', '1..5G', '0x10', '10gib', '1,5G', '9'.repeat(31)]) {
      assert.throws(() => parseSize(text), /is not a size/, text);
    }
    assert.throws(() => parseSize('10iB'), /unit that does not exist/);
    assert.throws(() => parseSize('1.5'), /not a whole number of bytes/);
    assert.throws(() => parseSize('9'.repeat(1_000_000)), /is not a size/);
  });

  test('are written with one decimal at most', () => {
    assert.equal(formatSize(0n), '0 B');
    assert.equal(formatSize(1023n), '1023 B');
    assert.equal(formatSize(1536n), '1.5 KiB');
    assert.equal(formatSize(10n * 1024n ** 3n), '10 GiB');
    assert.equal(formatSize(1024n ** 7n), '1024 EiB');
  });

  test('are exact for whole units, of 1000 as of 1024', () => {
    const unit = fc.integer({ min: 0, max: 6 });
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 20n }), unit, (count, power) => {
        assert.equal(parseSize(`${count}${binaryUnits[power]}`), count * 1024n ** BigInt(power));
        const decimal = binaryUnits[power]!.replace('i', '');
        assert.equal(parseSize(`${count}${decimal}`), count * 1000n ** BigInt(power));
      }),
    );
  });

  test('as people read them are never more than they are, and less by under a tenth of the unit', () => {
    fc.assert(
      fc.property(anySize, (bytes) => {
        const shown = formatSize(bytes);
        const [, tenths, unit] = /^(\d+(?:\.\d)?) (\w+)$/.exec(shown)!;
        const scale = 1024n ** BigInt(binaryUnits.indexOf(unit!));
        const [whole, tenth = '0'] = tenths!.split('.');
        const tenTimes = (BigInt(whole!) * 10n + BigInt(tenth)) * scale;
        assert.ok(tenTimes <= bytes * 10n && bytes * 10n < tenTimes + scale, shown);
      }),
    );
  });
});
