import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StreamEvent } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { until } from '../support/wait.ts';

describe('event streams', () => {
  let server: TestServer;
  before(async () => {
    server = await testServer({ 'sse-heartbeat': '50ms' });
  });
  after(() => server[Symbol.asyncDispose]());

  async function make(name: string): Promise<void> {
    const { operation_id } = await server.client.call(contract.createVolume, { body: { name, size: '1MiB' } });
    await server.ended(operation_id);
  }
  const stateOf = ({ data }: StreamEvent) => (data as { state: string }).state;

  it('tells the state at once, each transition by number, and ends with done', async () => {
    await make('told');
    await server.client.call(contract.attachVolume, { params: { volume: 'told' }, body: { node_id: 'n1' } });
    const events: StreamEvent[] = [];
    const request = { params: { volume: 'told' }, query: { last_event_id: 0 } };
    for await (const event of server.client.stream(contract.watchVolume, request)) events.push(event);
    assert.equal(events.at(-1)?.event, 'done');
    const told = events.slice(0, -1);
    assert.deepEqual(
      told.map(({ id }) => id),
      ['1', '2', '3', '4', '5'],
    );
    assert.deepEqual(told.map(stateOf), ['pending', 'creating', 'available', 'attaching', 'attached']);
    const { name, event, timestamp } = told[3]!.data as Record<string, string>;
    assert.deepEqual([name, event], ['told', 'attach']);
    assert.match(timestamp!, /^\d{4}-.*Z$/);
  });

  it('ends at once on a settled volume, and follows on when asked to', async () => {
    await make('settled');
    const events: StreamEvent[] = [];
    const request = { params: { volume: 'settled' }, query: {} };
    for await (const event of server.client.stream(contract.watchVolume, request)) events.push(event);
    assert.deepEqual(
      events.map(({ event }) => event),
      ['message', 'done'],
    );

    const following = new AbortController();
    const followed: StreamEvent[] = [];
    const reading = read('settled', followed, following.signal);
    await until('the current state', () => followed.length === 1);
    await server.client.call(contract.attachVolume, { params: { volume: 'settled' }, body: { node_id: 'n1' } });
    await until('both transitions', () => followed.length === 3);
    following.abort();
    await reading;
    assert.deepEqual(followed.map(stateOf), ['available', 'attaching', 'attached']);
  });

  it('resumes after the event that was seen last, none twice and none left out', async () => {
    await make('resumed');
    const after2: StreamEvent[] = [];
    const request = { params: { volume: 'resumed' }, query: {} };
    for await (const event of server.client.stream(contract.watchVolume, request, { lastEventId: '2' }))
      after2.push(event);
    assert.deepEqual(
      after2.map(({ id }) => id),
      ['3', null],
    );
  });

  it('beats while there is nothing to tell', async () => {
    await make('quiet');
    const response = await fetch(`${server.url}/api/v1/volumes/quiet/events?follow=true`);
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.split(': heartbeat').length > 3) break;
    }
    assert.match(text, /: heartbeat\n\n/);
  });

  it('tells an operation to its end', async () => {
    const { operation_id: id } = await server.client.call(contract.createVolume, {
      body: { name: 'op', size: '1MiB' },
    });
    const events: StreamEvent[] = [];
    for await (const event of server.client.stream(contract.watchOperation, { params: { id } })) events.push(event);
    assert.equal(events.at(-1)?.event, 'done');
    const last = events.at(-1)!.data as { status: string };
    assert.equal(last.status, 'completed');
  });

  it('tells all events as one stream, from any point', async () => {
    await make('all');
    const told: StreamEvent[] = [];
    const ending = new AbortController();
    const reading = (async () => {
      const query = { stream: true, last_event_id: 0 };
      try {
        for await (const event of server.client.stream(contract.listEvents, { query }, { signal: ending.signal }))
          told.push(event);
      } catch (error) {
        if (!ending.signal.aborted) throw error;
      }
    })();
    const { items } = await server.client.call(contract.listEvents, { query: { limit: 1000 } });
    await until('the whole trail', () => told.length >= items.length);
    ending.abort();
    await reading;
    assert.deepEqual(
      told.slice(0, items.length).map(({ id }) => id),
      items.map(({ id }) => String(id)).toReversed(),
    );
  });

  async function read(volume: string, events: StreamEvent[], signal: AbortSignal): Promise<void> {
    const request = { params: { volume }, query: { follow: true } };
    try {
      for await (const event of server.client.stream(contract.watchVolume, request, { signal })) events.push(event);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
});
