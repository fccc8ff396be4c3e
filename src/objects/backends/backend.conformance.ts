import { after, afterEach, before, describe } from 'node:test';
import { abortTests } from './conformance/aborts.ts';
import { blobTests } from './conformance/blobs.ts';
import { brokenPutTests } from './conformance/broken-puts.ts';
import { copyTests } from './conformance/copies.ts';
import { flowTests } from './conformance/flow.ts';
import type { ConformanceOptions, ConformanceSetup, ObjectBackendHarness } from './conformance/harness.ts';
import { keyTests } from './conformance/keys.ts';
import { listTests } from './conformance/lists.ts';
import { Suite } from './conformance/suite.ts';

/**
 * The laws of the port as tests that every adapter passes. `open` runs once for the whole suite, since a real system may
 * be slow to start; it registers with `t.after` what must end with the suite. The suite closes the backend itself. Each
 * test works on keys of its own and removes them.
 */
export function objectBackendConformance(
  name: string,
  open: (t: ConformanceSetup) => Promise<ObjectBackendHarness>,
  options: ConformanceOptions = {},
): void {
  describe(`${name} keeps the laws of the object backend port`, { skip: options.skip ?? false }, () => {
    const suite = new Suite(options);
    const endings: (() => PromiseLike<void> | void)[] = [];
    before(async () => {
      suite.harness = await open({ after: (work) => endings.push(work) });
      endings.push(() => suite.backend.close());
    });
    afterEach(() => suite.clean());
    after(async () => {
      for (const ending of endings.toReversed()) await ending();
    });

    describe('blobs and ranges', () => blobTests(suite));
    describe('puts that break', () => brokenPutTests(suite));
    describe('callers that give up', () => abortTests(suite));
    describe('keys', () => keyTests(suite));
    describe('lists', () => listTests(suite));
    describe('pace', () => flowTests(suite));
    describe('copies', () => copyTests(suite));
  });
}

export type { ConformanceOptions, ConformanceSetup, ObjectBackendHarness };
