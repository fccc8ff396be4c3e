import { after, before, describe } from 'node:test';
import { addingTests } from './conformance/adding.ts';
import { changingTests } from './conformance/changing.ts';
import type { ExportHarness } from './conformance/harness.ts';
import { Suite } from './conformance/suite.ts';

/** The laws of the port as tests that every adapter passes, by clients of its own protocol. */
export function exportConformance(name: string, setup: () => Promise<ExportHarness>): void {
  describe(`${name} keeps the laws of the export port`, () => {
    const suite = new Suite();
    before(async () => {
      suite.harness = await setup();
    });
    after(() => suite.harness.teardown());

    describe('add and list', () => addingTests(suite));
    describe('remove, resize and limits', () => changingTests(suite));
  });
}
