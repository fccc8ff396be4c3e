import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Guest, guestMissing } from './guest.ts';
import type { KernelLine } from './kernel.ts';

const INSIDE_TIMEOUT_MS = 170_000;

/**
 * Runs the tests where guests can be booted; elsewhere skips them, or fails when HOLDFAST_REQUIRE_REAL asks for the real
 * thing.
 */
export function withGuest(name: string, tests: () => void, kernel: KernelLine = 'stock'): void {
  const missing = guestMissing(kernel);
  if (missing === null) {
    void describe(name, tests);
    return;
  }
  const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';
  void test(name, { skip: isRequired ? false : missing }, () => {
    assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
  });
}

/**
 * Runs a file of tests inside the guest, and fails with what it said unless all passed, and as many as there are at least.
 * `nodeArgs` are further arguments for Node.
 */
export async function testsInside(
  guest: Guest,
  file: string,
  passedMin: number,
  { nodeArgs: more = [], timeoutMs = INSIDE_TIMEOUT_MS }: { nodeArgs?: readonly string[]; timeoutMs?: number } = {},
): Promise<void> {
  const nodeArgs = [...more, '--test', '--test-isolation=none', '--test-force-exit', '--test-reporter=spec'];
  const running = guest.runNode(file, [], { nodeArgs, timeoutMs });
  const { status, stdout, stderr } = await running.ended;
  assert.equal(status, 0, `${file} in the guest:\n${stdout}${stderr}`);
  const passed = Number(/pass (\d+)/.exec(stdout)?.[1]);
  assert.ok(passed >= passedMin, `${passed} tests passed of ${passedMin}:\n${stdout}`);
}
