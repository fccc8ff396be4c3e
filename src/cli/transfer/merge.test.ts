import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type Listed, paired } from './merge.ts';

async function* listed(keys: readonly string[]): AsyncGenerator<Listed> {
  for (const key of keys) yield { key, sizeBytes: key.length };
}

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const keys = fc
  .uniqueArray(
    fc.string({ unit: fc.constantFrom('a', 'Z', '/', 'ä', '\u{ff5e}', '\u{10000}'), minLength: 1, maxLength: 4 }),
  )
  .map((all) => all.toSorted(byBytes));

describe('two listings in step', () => {
  test('tell for each key of the one what the other has', async () => {
    await fc.assert(
      fc.asyncProperty(keys, keys, async (wanted, standing) => {
        const seen: [string, string | null][] = [];
        for await (const pair of paired(listed(wanted), listed(standing))) {
          seen.push([pair.wanted.key, pair.standing?.key ?? null]);
        }
        assert.deepEqual(
          seen,
          wanted.map((key) => [key, standing.includes(key) ? key : null]),
        );
      }),
    );
  });

  test('are refused when one is not in byte order', async () => {
    for (const [wanted, standing] of [
      [['b', 'a'], []],
      [['a', 'a'], []],
      [['z'], ['\u{10000}', '\u{ff5e}']],
      [
        ['~~~', '\u{10001}'],
        ['b', 'a'],
      ],
    ] as const) {
      const all = (async () => {
        for await (const pair of paired(listed(wanted), listed(standing))) void pair;
      })();
      if (wanted[0] === 'z') await all;
      else await assert.rejects(all, /not in byte order/);
    }
  });
});
