import { after, before, describe } from 'node:test';
import { attachmentTests } from './conformance/attachments.ts';
import { createTests } from './conformance/create.ts';
import { fenceTests } from './conformance/fence.ts';
import type { BackendHarness } from './conformance/harness.ts';
import { lawTests } from './conformance/laws.ts';
import { readTests } from './conformance/read.ts';
import { snapshotTests } from './conformance/snapshots.ts';
import { Suite } from './conformance/suite.ts';
import { trashTests } from './conformance/trash.ts';

/**
 * The laws of the port as tests that every adapter passes. There is one setup for the whole suite, since a real system
 * may be slow to start; each test works on images of its own.
 */
export function backendConformance(name: string, setup: () => Promise<BackendHarness>): void {
  describe(`${name} keeps the laws of the backend port`, () => {
    const suite = new Suite();
    before(async () => {
      suite.harness = await setup();
    });
    after(() => suite.harness.teardown());

    describe('create, adopt, resize, limits', () => createTests(suite));
    describe('health, inspect, list', () => readTests(suite));
    describe('snapshots and clones', () => snapshotTests(suite));
    describe('attachments', () => attachmentTests(suite));
    describe('clients that are cut off', () => fenceTests(suite));
    describe('trash and purge', () => trashTests(suite));
    describe('every verb', () => lawTests(suite));
  });
}

export type { BackendHarness };
