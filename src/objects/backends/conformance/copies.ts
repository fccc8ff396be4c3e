import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MIB, bytesOf } from './sources.ts';
import { type Suite, isKind, isVery } from './suite.ts';

/** Copies inside the real system. */
export function copyTests(suite: Suite): void {
  it('copies inside the real system, or says that it cannot', async () => {
    const [source, target] = [suite.key(), suite.key()];
    const bytes = bytesOf(2 * MIB + 5);
    await suite.put(source, bytes);
    if (!suite.backend.capabilities.serverSideCopy) {
      await assert.rejects(suite.backend.copy(source, target, suite.signal()), isKind('unsupported'));
      await suite.mustBeAbsent(target);
      return;
    }
    assert.equal(await suite.backend.copy(source, target, suite.signal()), 'copied');
    await suite.mustHold(target, bytes);
    assert.equal(await suite.backend.copy(source, target, suite.signal()), 'copied', 'a repeat is the same');
    assert.equal(await suite.delete(source), 'deleted');
    await suite.mustHold(target, bytes);
  });

  it('copies under keys that need an encoding, and an empty blob', async (t) => {
    if (!suite.backend.capabilities.serverSideCopy) return t.skip('the backend has no serverSideCopy');
    for (const bytes of [Buffer.alloc(0), bytesOf(10)]) {
      const [source, target] = [suite.key('a b+c%2F?ü/😀#'), suite.key('..//%')];
      await suite.put(source, bytes);
      assert.equal(await suite.backend.copy(source, target, suite.signal()), 'copied');
      await suite.mustHold(target, bytes);
    }
  });

  it('takes the copy of an absent blob for a value', async (t) => {
    if (!suite.backend.capabilities.serverSideCopy) return t.skip('the backend has no serverSideCopy');
    const target = suite.key();
    assert.equal(await suite.backend.copy(suite.key(), target, suite.signal()), 'absent');
    await suite.mustBeAbsent(target);
    const reason = new Error('the caller has left');
    await assert.rejects(suite.backend.copy(suite.key(), target, AbortSignal.abort(reason)), isVery(reason));
  });
}
