import assert from 'node:assert/strict';
import { it } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import type { NoticeSource } from '../../kernel/events/notice.ts';
import { eventsAfter, lastEventId } from '../../kernel/events/queries.ts';
import { pruneEvents } from '../../kernel/operations/retention.ts';
import { openTransaction } from '../../kernel/store/raw-transaction.ts';
import { cursorOf } from '../queries.ts';
import { backlogMax } from '../target.ts';
import { openStage, pretendWaiting } from '../test-stage.ts';
import { dispatchEvents } from './dispatch.ts';

const nowhere = 'http://127.0.0.1:9/';
const thing = (name: string) => ({ resource: `thing:${name}`, type: 'thing.changed', data: { name } });

onEveryStore('the dispatcher', (engine) => {
  it('enters each event once for each target that wants it, in order, with several processes at it', async () => {
    await using stage = await openStage(engine);
    await stage.addHook('one', nowhere);
    await stage.addHook('two', nowhere);
    await stage.service.subscribe({ name: 'twice', target: 'two', types: ['*'], resources: ['thing:'] }, 'test');
    for (const replica of [await stage.replica(), await stage.replica()]) replica.dispatcher.start();
    for (let round = 0; round < 20; round++) await stage.happen(...['a', 'b', 'c'].map(thing));
    const rows = await until('all are entered', async () => {
      const found = await stage.deliveries();
      return found.length >= 120 && found;
    });
    for (const target of ['one', 'two']) {
      const ids = rows.filter((row) => row.target === target).map(({ event_id }) => event_id);
      assert.equal(ids.length, 60);
      assert.deepEqual(
        ids,
        [...new Set(ids)].sort((a, b) => a - b),
      );
    }
    const counts = (await stage.service.list()).map(({ waiting }) => waiting);
    assert.deepEqual(counts, [60, 60]);
    assert.deepEqual(stage.errors, []);
  });

  it('does nothing when somebody else has moved the cursor', async () => {
    await using stage = await openStage(engine);
    await stage.addHook('one', nowhere);
    const fromId = await stage.store.read(cursorOf);
    const delivery = { target: 'one', eventId: 1, resource: 'thing:a', type: 'thing.changed', body: '{}' };
    const dispatch = { fromId, toId: fromId + 5, deliveries: [delivery], nowMs: 0 };
    assert.equal(await stage.store.write(dispatchEvents, dispatch), true);
    assert.equal(await stage.store.write(dispatchEvents, dispatch), false);
    assert.equal((await stage.deliveries()).length, 1);
  });

  it('goes on where it was after it died, with what was committed meanwhile', async () => {
    await using stage = await openStage(engine);
    await stage.addHook('one', nowhere);
    const first = await stage.replica();
    first.dispatcher.start();
    await stage.happen(thing('a'));
    await until('the first is entered', async () => (await stage.deliveries()).length === 1);
    await first.dispatcher.stop();
    await first.die();
    await stage.happen(thing('a'), thing('b'));
    (await stage.replica()).dispatcher.start();
    await until('the others are entered', async () => (await stage.deliveries()).length === 3);
  });

  it('passes over events that nobody can want, and tells a new target what happens from then on', async () => {
    await using stage = await openStage(engine);
    await stage.happen(...Array.from({ length: 600 }, (_, index) => thing(String(index))));
    const { dispatcher } = await stage.replica();
    dispatcher.start();
    const newest = await stage.store.read(lastEventId);
    await until('the cursor follows', async () => (await stage.store.read(cursorOf)) >= newest);
    await stage.addHook('one', nowhere);
    await stage.happen(thing('last'));
    await until('it is entered', async () => (await stage.deliveries()).length === 1);
  });

  it('keeps the outbox until it has passed it', async () => {
    await using stage = await openStage(engine);
    await stage.addHook('one', nowhere);
    const cursor = await stage.store.read(cursorOf);
    for (let round = 0; round < 3; round++) await stage.happen(thing('a'));
    const prune = async () => {
      const passedId = await stage.store.read(cursorOf);
      return stage.store.write(pruneEvents, { beforeMs: Date.now() + 1_000, limit: 500, passedId });
    };
    await prune();
    assert.equal((await stage.store.read((reader) => eventsAfter(reader, cursor, 100))).filter(isThing).length, 3);
    (await stage.replica()).dispatcher.start();
    await until('all are entered', async () => (await stage.deliveries()).length === 3);
    await prune();
    // A resource's newest stays: the next number follows from it.
    assert.equal((await stage.store.read((reader) => eventsAfter(reader, cursor, 100))).filter(isThing).length, 1);
  });

  it('drops what is new for a target for which too much waits, counts it and says so once', async () => {
    await using stage = await openStage(engine);
    await stage.addHook('one', nowhere);
    await stage.store.write(pretendWaiting, { name: 'one', waiting: backlogMax - 1 });
    (await stage.replica()).dispatcher.start();
    for (const name of ['a', 'b', 'c']) await stage.happen(thing(name));
    const target = await until('two are dropped', async () => {
      const found = await stage.service.get('one');
      return found.dropped === 2 && found;
    });
    assert.equal(target.waiting, backlogMax);
    assert.equal((await stage.deliveries()).length, 1);
    const events = await stage.store.read((reader) => eventsAfter(reader, 0, 100));
    assert.equal(events.filter(({ type }) => type === 'notification_target.overflowed').length, 1);
  });

  it('enters nothing for a target that is disabled, and what waited for it goes', async () => {
    await using stage = await openStage(engine);
    await stage.addHook('one', nowhere);
    await stage.addHook('two', nowhere);
    (await stage.replica()).dispatcher.start();
    await stage.happen(thing('a'));
    await until('both are told', async () => (await stage.deliveries()).length === 2);
    await stage.service.change('one', { state: 'disabled' }, 'test');
    await stage.happen(thing('b'));
    await until('the other is told', async () => (await stage.deliveries()).length === 2);
    assert.deepEqual(new Set((await stage.deliveries()).map(({ target }) => target)), new Set(['two']));
    await stage.service.remove('two', 'test');
    assert.deepEqual(await stage.deliveries(), []);
    assert.deepEqual(
      (await stage.service.subscriptions()).map(({ name }) => name),
      ['all-one'],
    );
  });

  it('asks features for notices of their own, and shortens what is too large', async () => {
    await using stage = await openStage(engine);
    await stage.addHook('one', nowhere);
    const source: NoticeSource = {
      noticesOf: (events) =>
        Promise.resolve(
          events.filter(isThing).map(({ id, resource }) => {
            const words = { type: 'other.words', source: 'feature', subject: 's', timeMs: 0, data: { words: 1 } };
            return { eventId: id, resource, target: 'one', ...words };
          }),
        ),
    };
    (await stage.replica([source])).dispatcher.start();
    await stage.happen({ ...thing('a'), data: { long: 'x'.repeat(300_000) } });
    const rows = await until('both are entered', async () => {
      const found = await stage.deliveries();
      return found.length === 2 && found;
    });
    const [event, notice] = rows.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    assert.deepEqual([event!['type'], notice!['type']], ['io.holdfast.thing.changed', 'other.words']);
    assert.deepEqual([event!['id'], notice!['id']], [String(rows[0]!.event_id), String(rows[0]!.event_id)]);
    assert.equal((event!['data'] as Record<string, unknown>)['is_shortened'], true);
  });

  if (engine.server !== null) {
    it('waits for an event that is still being written, and leaves none out', async () => {
      await using stage = await openStage(engine);
      await stage.addHook('one', nowhere);
      const before = await stage.store.read(lastEventId);
      const slow = await openTransaction(
        stage.databaseUrl!,
        `insert into events (resource, seq, type, data, actor, created_at)
         values ('thing:slow', 1, 'thing.changed', '{}', 'test', 0)`,
      );
      await stage.happen(thing('quick'));
      (await stage.replica()).dispatcher.start();
      // It has read the page in which both would be.
      await until('it stands before the gap', async () => (await stage.store.read(cursorOf)) === before);
      assert.deepEqual(await stage.deliveries(), []);
      await slow.end('commit');
      await until('both are entered', async () => (await stage.deliveries()).length === 2);
      assert.deepEqual(
        (await stage.deliveries()).map(({ resource }) => resource),
        ['thing:slow', 'thing:quick'],
      );
    });
  }
});

function isThing({ type }: { readonly type: string }): boolean {
  return type === 'thing.changed';
}
