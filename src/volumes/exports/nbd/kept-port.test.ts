import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { at, newSpec } from '../conformance/suite.ts';
import type { ExportKey, ExportSpec } from '../target.ts';
import { createNbdTarget } from './nbd.ts';
import type { PortRange } from './ports.ts';
import { newFile, withQemu } from './testkit.ts';

const MIB = 1024n * 1024n;
// Nothing else in the tests has these, also not for a moment.
const ports = { first: 23_900, last: 23_909 };
const asked = 23_905;

withQemu('an NBD export that is made again by another process', () => {
  let temporary: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    temporary = await temporaryDirectory();
  });
  after(() => temporary[Symbol.asyncDispose]());

  /** Where each of these is served by a target that knows of nothing before. */
  async function placesOf(range: PortRange, ...wishes: readonly Partial<ExportSpec>[]): Promise<number[]> {
    const target = createNbdTarget({ ports: range, runDirectory: join(temporary.path, 'run') });
    try {
      const places: number[] = [];
      for (const wish of wishes) {
        const spec = newSpec(await newFile(temporary.path, 4n * MIB), wish);
        places.push((await target.add(at(), spec)).connection.port);
      }
      return places;
    } finally {
      await target.close();
    }
  }

  const keyed = (identity: string): { readonly tls: ExportKey } => ({ tls: { identity, keyHex: '5a'.repeat(32) } });

  test('has the port that it had, with a key of its own or without', async () => {
    assert.deepEqual(await placesOf(ports, { preferredPort: asked }), [asked]);
    const wishes = [
      { ...keyed('first'), preferredPort: asked + 1 },
      { preferredPort: asked },
      { ...keyed('second'), preferredPort: asked + 2 },
    ];
    assert.deepEqual(await placesOf(ports, ...wishes), [asked + 1, asked, asked + 2]);
  });

  test('has another one when that is taken, by somebody else or by another export, or is not its own to take', async () => {
    const somebody = createServer().listen(asked, '127.0.0.1');
    await once(somebody, 'listening');
    try {
      assert.deepEqual(await placesOf(ports, { preferredPort: asked }), [ports.first]);
    } finally {
      somebody.close();
    }
    const wishes = [{ preferredPort: asked }, { ...keyed('late'), preferredPort: asked }];
    assert.deepEqual(await placesOf(ports, ...wishes), [asked, ports.first]);
    assert.deepEqual(await placesOf({ first: 23_900, last: 23_901 }, { preferredPort: asked }), [23_900]);
  });
});
