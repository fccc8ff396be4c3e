import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { commands } from '../../../src/objects/s3/commands/all.ts';
import { requireReal } from '../../support/stores.ts';
import { cases, sweeps } from './cases/all.ts';
import { assertNothingLeft } from './clearing.ts';
import { operations } from './operations.ts';
import type { Rig, RunningRig } from './rig.ts';
import { type World, openWorld } from './world.ts';

/** So many cases run beside each other, each in buckets of its own. */
const concurrency = 8;
/** One case, on a machine that does other things too; and the start, the end and the clearing of a rig. */
const [caseTimeoutMs, rigTimeoutMs] = [90_000, 150_000];
const fetchTimeoutMs = 10_000;

/** All that is asked of the S3 endpoint, over HTTP alone, on one rig. */
export function s3Acceptance(name: string, rig: Rig): void {
  void describe(`S3 on ${name}`, async () => {
    const missing = await rig.missing();
    if (missing !== null && !requireReal) {
      describe.skip(`left out: ${missing}`);
      return;
    }
    let running: RunningRig;
    let world: World;
    before(
      async () => {
        if (missing !== null) assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
        running = await rig.start();
        world = await openWorld(running);
      },
      { timeout: rigTimeoutMs },
    );
    after(
      async () => {
        // Either may be missing when its start has failed, and that failure is the one to tell.
        (world as World | undefined)?.close();
        await (running as RunningRig | undefined)?.stop();
      },
      { timeout: rigTimeoutMs },
    );

    describe('cases', { concurrency }, () => {
      for (const one of cases) it(one.name, { timeout: caseTimeoutMs }, () => one.run(world));
    });
    it('has a case for every operation in which it succeeds', async () => {
      const known = commands.map((command) => command.name).toSorted();
      assert.deepEqual(operations.map((operation) => operation.name).toSorted(), known);
      const { succeeded } = await seenOperations(world);
      assert.deepEqual(
        known.filter((operation) => !succeeded.has(operation)),
        [],
      );
    });
    describe('sweeps over all operations', { concurrency }, () => {
      for (const one of sweeps) it(one.name, { timeout: caseTimeoutMs }, () => one.run(world));
    });
    it('has refused every operation', async () => {
      const { refused } = await seenOperations(world);
      assert.deepEqual(
        commands.map((command) => command.name).filter((operation) => !refused.has(operation)),
        [],
      );
    });
    it('leaves nothing behind', { timeout: rigTimeoutMs }, () => assertNothingLeft(world));
  });
}

/** What the servers have counted. */
async function seenOperations({ rig }: World): Promise<{ succeeded: Set<string>; refused: Set<string> }> {
  const succeeded = new Set<string>();
  const refused = new Set<string>();
  for (const { api } of rig.gateways) {
    const text = await (await fetch(`${api.url}/metrics`, { signal: AbortSignal.timeout(fetchTimeoutMs) })).text();
    for (const line of text.split('\n')) {
      const [, labels = '', count] = /^holdfast_http_requests_total\{([^}]*)\} (\d+)$/.exec(line) ?? [];
      const operation = /operation="s3:(\w+)"/.exec(labels)?.[1];
      const status = /code="(\d)/.exec(labels)?.[1];
      if (operation === undefined || count === '0') continue;
      if (status === '2') succeeded.add(operation);
      if (status === '4') refused.add(operation);
    }
  }
  return { succeeded, refused };
}
