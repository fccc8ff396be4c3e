import assert from 'node:assert/strict';
import { it } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { type Answering, isGenuine, status, webhookReceiver } from '../../../test/support/webhook-receiver.ts';
import { eventsAfter } from '../../kernel/events/queries.ts';
import type { DeliveryRow } from '../tables.ts';
import { type NotificationStage, openStage } from '../test-stage.ts';
import { takeDeliveries } from './turn.ts';

const thing = (name: string) => ({ resource: `thing:${name}`, type: 'thing.changed', data: { name } });
const settled = (stage: NotificationStage) =>
  until('nothing waits', async () => (await stage.service.list()).every(({ waiting }) => waiting === 0));

/** What the counts of targets must be. */
async function checkCounts(stage: NotificationStage): Promise<void> {
  const rows = await stage.deliveries();
  for (const { name, waiting, dead } of await stage.service.list()) {
    const count = (state: string) => rows.filter((row) => row.target === name && row.state === state).length;
    assert.deepEqual([waiting, dead], [count('waiting'), count('dead')], name);
  }
}

onEveryStore('the deliverer', (engine) => {
  it('delivers each event once and signed, those of a resource in order, with several processes at it', async () => {
    await using stage = await openStage(engine);
    await using receiver = await webhookReceiver();
    const secret = await stage.addHook('hook', receiver.url, { parallel: 8 });
    for (const replica of [await stage.replica(), await stage.replica()]) {
      replica.dispatcher.start();
      replica.deliverer.start();
    }
    const names = ['a', 'b', 'c', 'd'];
    for (let round = 0; round < 15; round++) await stage.happen(...names.map(thing));
    await until('all came', () => receiver.received.length >= 60);
    await settled(stage);
    assert.equal(receiver.received.length, 60);
    assert.ok(receiver.received.every((received) => isGenuine(secret, received)));
    for (const name of names) {
      const of = receiver.received.filter(({ event }) => event.subject === `thing:${name}`);
      assert.deepEqual(
        of.map(({ event }) => event.data['seq']),
        Array.from({ length: 15 }, (_, index) => index + 1),
      );
    }
    assert.deepEqual(await stage.deliveries(), []);
    assert.deepEqual(stage.errors, []);
  });

  it('tries again what failed under the same id, and then it is a dead letter that can be tried once more', async () => {
    await using stage = await openStage(engine);
    await using receiver = await webhookReceiver(status(500, {}, 'not today'));
    await stage.addHook('hook', receiver.url);
    const { dispatcher, deliverer } = await stage.replica();
    dispatcher.start();
    deliverer.start();
    await stage.happen(thing('a'));
    await until('it is a dead letter', async () => (await stage.service.get('hook')).dead === 1);
    assert.equal(receiver.received.length, 4);
    assert.equal(new Set(receiver.received.map(({ event }) => event.id)).size, 1);
    const page = { target: 'hook', after: { target: '', id: 0 }, limit: 10 };
    const [letter] = await stage.service.deadLetters(page);
    assert.deepEqual([letter!.attempts, letter!.last_error], [4, 'The receiver answered 500: not today']);
    receiver.answer = status(204);
    assert.equal(await stage.service.requeue({ target: 'hook', ids: [letter!.id] }), 1);
    await until('it came', () => receiver.received.length === 5);
    await settled(stage);
    await checkCounts(stage);
    assert.deepEqual(await stage.service.deadLetters(page), []);
  });

  it('a message that fails does not hold up the next ones of its resource', async () => {
    await using stage = await openStage(engine);
    const answer: Answering = (received, response) =>
      void response.writeHead(received.event.data['seq'] === 1 ? 500 : 204).end();
    await using receiver = await webhookReceiver(answer);
    await stage.addHook('hook', receiver.url);
    const { dispatcher, deliverer } = await stage.replica();
    dispatcher.start();
    deliverer.start();
    for (let round = 0; round < 3; round++) await stage.happen(thing('a'));
    await until('the others came', () => receiver.received.filter(({ event }) => event.data['seq'] !== 1).length === 2);
    await until('it is a dead letter', async () => (await stage.service.get('hook')).dead === 1);
    await checkCounts(stage);
    assert.equal(await stage.service.drop({ target: 'hook', ids: null }), 1);
    await checkCounts(stage);
  });

  it('a receiver that never answers holds up no other one', async () => {
    await using stage = await openStage(engine);
    await using silent = await webhookReceiver(() => {});
    await using good = await webhookReceiver();
    await stage.addHook('a-silent', silent.url, { timeoutMs: 60_000, parallel: 2 });
    await stage.addHook('good', good.url);
    const { dispatcher, deliverer, stop } = await stage.replica();
    dispatcher.start();
    deliverer.start();
    for (let round = 0; round < 30; round++) await stage.happen(thing(`t${round}`));
    await until('the good one has all', () => good.received.length === 30);
    await until('the silent one has what it may have', () => silent.received.length >= 2);
    assert.equal(silent.received.length, 2, 'no more at once than it may have');
    const beganAt = performance.now();
    await stop();
    assert.ok(performance.now() - beganAt < 20_000, 'stopping does not wait for it');
    assert.deepEqual(
      (await stage.deliveries()).filter(({ claimed_until }) => claimed_until > 0),
      [],
    );
    await checkCounts(stage);
  });

  it('410 disables the target, and tells', async () => {
    await using stage = await openStage(engine);
    await using receiver = await webhookReceiver(status(410));
    await stage.addHook('hook', receiver.url);
    const { dispatcher, deliverer } = await stage.replica();
    dispatcher.start();
    deliverer.start();
    await stage.happen(thing('a'), thing('b'));
    await until('it is disabled', async () => (await stage.service.get('hook')).state === 'disabled');
    const target = await stage.service.get('hook');
    assert.match(target.reason!, /answered 410/);
    assert.deepEqual([await stage.deliveries(), target.waiting], [[], 0]);
    const events = await stage.store.read((reader) => eventsAfter(reader, 0, 100));
    const told = events.filter(({ type }) => type === 'notification_target.disabled');
    assert.deepEqual(
      told.map(({ data }) => data['reason']),
      [target.reason],
    );
    receiver.answer = status(204);
    await stage.service.change('hook', { state: 'active' }, 'test');
    await stage.happen(thing('c'));
    await until('it is told again', () => receiver.received.some(({ event }) => event.subject === 'thing:c'));
  });

  it('leaves a receiver alone for as long as it asks', async () => {
    await using stage = await openStage(engine);
    await using receiver = await webhookReceiver(status(429, { 'retry-after': '3600' }));
    await stage.addHook('hook', receiver.url, { parallel: 1 });
    const { dispatcher, deliverer } = await stage.replica();
    dispatcher.start();
    deliverer.start();
    await stage.happen(thing('a'), thing('b'));
    const first = await until('it is noted', async () => {
      const [row] = await stage.deliveries();
      return row?.attempts === 1 && row;
    });
    assert.ok(first.due_at > Date.now() + 3_000_000);
    await using other = await webhookReceiver();
    await stage.addHook('other', other.url);
    await stage.happen(thing('c'));
    await until('it went on for another', () => other.received.length === 1);
    assert.equal(receiver.received.length, 1);
    // Whoever changes the target says that it may be asked again.
    receiver.answer = status(204);
    await stage.service.change('hook', {}, 'test');
    await until('the others came', () => receiver.received.length === 3);
  });

  it('what a dead process has claimed is delivered by another one', async () => {
    await using stage = await openStage(engine);
    await using receiver = await webhookReceiver(() => {});
    await stage.addHook('hook', receiver.url, { timeoutMs: 60_000 });
    const [first, second] = [await stage.replica(), await stage.replica()];
    first.dispatcher.start();
    await stage.happen(thing('a'));
    await until('it is entered', async () => (await stage.deliveries()).length === 1);
    const { rows } = await take(stage, first.id);
    assert.equal(rows.length, 1);
    assert.deepEqual((await take(stage, second.id)).rows, [], 'it is claimed');
    await first.die();
    second.deliverer.start();
    await until('it came', () => receiver.received.length === 1);
    // Should the first be alive after all, it takes nothing off that is not its own any more.
    await take(stage, first.id, rows);
    assert.equal((await stage.deliveries()).length, 1);
    await checkCounts(stage);
  });

  it('claims one of a resource at a time, and others of it only once it has failed', async () => {
    await using stage = await openStage(engine);
    await stage.addHook('hook', 'http://127.0.0.1:9/');
    const { dispatcher, id } = await stage.replica();
    for (let round = 0; round < 3; round++) await stage.happen(thing('a'), thing('b'));
    dispatcher.start();
    await until('all are entered', async () => (await stage.deliveries()).length === 6);
    const claimed = await take(stage, id);
    assert.deepEqual(
      claimed.rows.map(({ resource }) => resource),
      ['thing:a', 'thing:b'],
    );
    assert.deepEqual((await take(stage, id)).rows, []);
    const next = await take(stage, id, claimed.rows.slice(0, 1));
    assert.deepEqual(
      next.rows.map(({ resource, event_id }) => [resource, event_id > claimed.rows[0]!.event_id]),
      [['thing:a', true]],
    );
    await checkCounts(stage);
  });
});

function take(stage: NotificationStage, owner: string, delivered: readonly DeliveryRow[] = []) {
  const turn = { target: 'hook', owner, released: [], limit: 10, nowMs: Date.now(), leaseMs: 60_000 };
  return stage.store.write(takeDeliveries, { ...turn, delivered: delivered.map(({ id }) => id) });
}
