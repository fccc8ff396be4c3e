import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linearizationFault } from './objects-linearizable.ts';
import { type KeyAction, type KeyOperation, type KeyResult, unseenEtag } from './objects-model.ts';
import { SeededRandom } from './objects-random.ts';

const forever = Number.POSITIVE_INFINITY;
const done: KeyResult = { kind: 'done' };
const unknown: KeyResult = { kind: 'unknown' };

function operation(
  callAtMs: number,
  returnAtMs: number,
  action: KeyAction,
  result: KeyResult = returnAtMs === forever ? unknown : done,
): KeyOperation {
  return { action, result, callAtMs, returnAtMs };
}

const put = (id: string): KeyAction => ({ kind: 'put', id, etag: `e${id}`, tags: '' });
const read: KeyAction = { kind: 'read' };
const remove: KeyAction = { kind: 'remove', id: 'gone' };
const saw = (id: string | null): KeyResult => ({ kind: 'saw', version: id === null ? null : { id, etag: `e${id}` } });

const isPossible = (...operations: KeyOperation[]) => linearizationFault(operations, false) === null;
const isPossibleVersioned = (...operations: KeyOperation[]) => linearizationFault(operations, true) === null;

describe('the check of histories', () => {
  it('takes writes and reads in their order, and refuses a read of the past', () => {
    assert.ok(isPossible(operation(1, 2, put('a')), operation(3, 4, put('b')), operation(5, 6, read, saw('b'))));
    assert.ok(!isPossible(operation(1, 2, put('a')), operation(3, 4, put('b')), operation(5, 6, read, saw('a'))));
    assert.ok(!isPossible(operation(1, 2, put('a')), operation(3, 4, read, saw(null))));
  });

  it('lets what happens at the same time happen in any order, but in one', () => {
    const both = [operation(1, 9, put('a')), operation(2, 8, put('b'))];
    assert.ok(isPossible(...both, operation(10, 11, read, saw('a'))));
    assert.ok(isPossible(...both, operation(10, 11, read, saw('b'))));
    assert.ok(!isPossible(...both, operation(10, 11, read, saw('a')), operation(12, 13, read, saw('b'))));
  });

  it('lets what has no known end happen once, late or never', () => {
    const history = [operation(1, 2, put('a')), operation(3, forever, put('b'))];
    assert.ok(isPossible(...history, operation(4, 5, read, saw('a')), operation(6, 7, read, saw('b'))));
    assert.ok(isPossible(...history, operation(4, 5, read, saw('a'))));
    assert.ok(!isPossible(...history, operation(4, 5, read, saw('b')), operation(6, 7, read, saw('a'))));
    const gone = [...history, operation(4, 5, remove), operation(6, 7, read, saw(null))];
    assert.ok(isPossible(...gone, operation(8, 9, read, saw('b'))));
    assert.ok(!isPossible(...gone, operation(8, 9, read, saw('a'))), 'what was deleted came back');
  });

  it('lets a copy be the source of another one, though nobody was told of it', () => {
    const lost: KeyAction = { kind: 'put', id: 'b', etag: unseenEtag, tags: '' };
    const copied = (etag: string): KeyResult => ({ kind: 'saw', version: { id: null, etag } });
    const history = [operation(1, 2, put('a')), operation(4, 5, read, copied('other'))];
    assert.ok(!isPossible(...history));
    assert.ok(isPossible(...history, operation(3, forever, lost)));
    assert.ok(!isPossible(...history, operation(6, forever, lost)));
    assert.ok(!isPossible(...history, operation(3, forever, lost), operation(7, 8, read, saw('a'))));
  });

  it('knows what conditions promise', () => {
    const create = (id: string): KeyAction => ({
      kind: 'put',
      id,
      etag: `e${id}`,
      tags: '',
      condition: { ifNoneMatch: true },
    });
    assert.ok(!isPossible(operation(1, 5, create('a')), operation(1, 5, create('b'))));
    assert.ok(isPossible(operation(1, 5, create('a')), operation(1, 5, create('b'), { kind: 'refused' })));
    assert.ok(!isPossible(operation(1, 5, create('a'), { kind: 'refused' })));
  });

  it('keeps tags with their version', () => {
    const tags: KeyAction = { kind: 'tag', tags: 't' };
    const sawTags = (text: string): KeyResult => ({ kind: 'sawTags', tags: text });
    const history = [operation(1, 2, put('a')), operation(3, 4, tags)];
    assert.ok(isPossible(...history, operation(5, 6, { kind: 'readTags' }, sawTags('t'))));
    assert.ok(!isPossible(...history, operation(5, 6, put('b')), operation(7, 8, { kind: 'readTags' }, sawTags('t'))));
  });

  it('misses no version of a key that keeps them', () => {
    const history = [operation(1, 2, put('a')), operation(3, 4, remove), operation(5, forever, put('b'))];
    const list = (...ids: (string | null)[]) => operation(8, 9, { kind: 'readVersions' }, { kind: 'sawVersions', ids });
    assert.ok(isPossibleVersioned(...history, list(null, 'a')));
    assert.ok(isPossibleVersioned(...history, list('b', null, 'a')));
    assert.ok(!isPossibleVersioned(...history, list(null)));
    assert.ok(!isPossibleVersioned(...history, list('b', 'a')));
    const target: KeyAction = { kind: 'removeVersion', target: 'a' };
    assert.ok(isPossibleVersioned(...history, operation(6, 7, target), list(null)));
  });

  it('finds the order of a long history with many unknown ends, and that a wrong one has none', () => {
    const random = new SeededRandom(7);
    const history: KeyOperation[] = [];
    let standing: string | null = null;
    for (let at = 0; at < 300; at++) {
      const [callAtMs, returnAtMs] = [at * 10 - random.below(40), at * 10 + random.below(40) + 1];
      const what = random.weighted({ read: 10, lostPut: 2, lostRemove: 2, put: 6 });
      if (what === 'read') history.push(operation(callAtMs, returnAtMs, read, saw(standing)));
      else if (what === 'lostPut') history.push(operation(callAtMs, forever, put(`lost${at}`)));
      else if (what === 'lostRemove') history.push(operation(callAtMs, forever, remove));
      else history.push(operation(callAtMs, returnAtMs, put((standing = `v${at}`))));
    }
    assert.equal(linearizationFault(history, false), null);
    assert.notEqual(linearizationFault([...history, operation(9_000, 9_001, read, saw('v1'))], false), null);
  });
});
