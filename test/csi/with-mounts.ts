import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mountsMissing } from './loop-connector.ts';

/**
 * Runs tests that mount real filesystems where that is allowed; elsewhere skips them, or fails when HOLDFAST_REQUIRE_REAL is
 * set.
 */
export async function withMounts(name: string, tests: () => void): Promise<void> {
  const missing = await mountsMissing();
  if (missing === null) {
    void describe(name, tests);
    return;
  }
  const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';
  void test(name, { skip: isRequired ? false : missing }, () => {
    assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
  });
}
