import assert from 'node:assert/strict';
import { it } from 'node:test';
import { onEveryStore } from '../../test/support/stores.ts';
import { until } from '../../test/support/wait.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { AgentLink } from './agent/link.ts';
import type { WorkContext } from './agent/agent.ts';
import type { HostService } from './service.ts';
import { HostStage, ageHost, attemptOf } from './test-hosts.ts';

const work = { host: 'node-1', resource: 'volume:1', kind: 'echo', input: { n: 1 } };
const isAlive = async (stage: HostStage) => (await stage.commands.find('node-1'))?.state === 'alive';

onEveryStore('work for hosts', (engine) => {
  it('is done by the agent of the host that it is addressed to, and its end is told', async () => {
    await using stage = await HostStage.open(engine);
    const seen: unknown[] = [];
    stage.agent({ echo: (_context, input) => (seen.push(input), Promise.resolve({ got: input })) });
    await until('the agent is heard', () => isAlive(stage));
    assert.deepEqual(await stage.commands.run(attemptOf('op-1/a'), work), { got: { n: 1 } });
    // The same step again, as after a crash: the journal did not have the result, the host does not do it twice.
    assert.deepEqual(await stage.commands.run(attemptOf('op-1/a'), work), { got: { n: 1 } });
    assert.equal(seen.length, 1);
  });

  it('that was done is done again for a process that takes the step over: its effect may have ended with the host', async () => {
    // An agent that has just told an end asks once more with that work named as known: until the next heartbeat.
    await using stage = await HostStage.open(engine, { deadAfterMs: 6_000 });
    let times = 0;
    const secrets: (string | null)[] = [];
    stage.agent({ echo: ({ secret }) => (secrets.push(secret), Promise.resolve(++times)) });
    await until('the agent is heard', () => isAlive(stage));
    const withSecret = { ...work, secret: 'correct horse' };
    assert.equal(await stage.commands.run(attemptOf('op-1/a', { fence: 1 }), withSecret), 1);
    assert.equal(await stage.commands.run(attemptOf('op-1/a', { fence: 2 }), withSecret), 2);
    assert.equal(await stage.commands.run(attemptOf('op-1/a', { fence: 2 }), withSecret), 2);
    assert.deepEqual(secrets, ['correct horse', 'correct horse']);
  });

  it('tells the failure of the host in its own words, and is done again by the next attempt only', async () => {
    await using stage = await HostStage.open(engine);
    let times = 0;
    stage.agent({
      echo: () =>
        ++times === 1 ? Promise.reject(new HoldfastError('conflict', 'Busy.', { n: 7 })) : Promise.resolve(2),
    });
    await until('the agent is heard', () => isAlive(stage));
    const refused = (error: unknown) =>
      error instanceof HoldfastError && error.kind === 'conflict' && error.details['n'] === 7;
    await assert.rejects(stage.commands.run(attemptOf('op-1/a'), work), refused);
    await assert.rejects(stage.commands.run(attemptOf('op-1/a'), work), refused);
    assert.equal(times, 1);
    assert.equal(await stage.commands.run(attemptOf('op-1/a', { attempt: 2 }), work), 2);
  });

  it('is refused for a kind that the host does not know and for an unknown host, and waits for one that has left', async () => {
    await using stage = await HostStage.open(engine);
    const agent = stage.agent({});
    await until('the agent is heard', () => isAlive(stage));
    await assert.rejects(stage.commands.run(attemptOf('op-1/a'), work), { kind: 'unsupported' });
    await assert.rejects(stage.commands.run(attemptOf('op-2/a'), { ...work, host: 'node-2' }), { kind: 'not_found' });
    await agent.stop();
    const hasty = attemptOf('op-3/a', { signal: AbortSignal.timeout(300) });
    await assert.rejects(stage.commands.run(hasty, work), { kind: 'unavailable', message: /stopped/ });
    const waiting = stage.commands.run(attemptOf('op-4/a'), work);
    stage.agent({ echo: () => Promise.resolve('back again') });
    assert.equal(await waiting, 'back again');
  });

  it('is done by the next agent when one was cut off in the middle', async () => {
    await using stage = await HostStage.open(engine);
    const begun = Promise.withResolvers<void>();
    const dead = deadLink(stage.service);
    stage.agent({ echo: ({ signal }) => (begun.resolve(), never(signal)) }, { link: dead.link });
    await until('the agent is heard', () => isAlive(stage));
    const running = stage.commands.run(attemptOf('op-1/a'), work);
    await begun.promise;
    dead.die();
    const link: AgentLink = { ...bound(stage.service), register: (facts) => stage.service.admit(facts, true) };
    stage.agent({ echo: () => Promise.resolve('done by the second') }, { link });
    assert.equal(await running, 'done by the second');
  });

  it('with a lower fence than later work of the same resource is not done any more', async () => {
    await using stage = await HostStage.open(engine);
    const gate = Promise.withResolvers<void>();
    const fences: number[] = [];
    stage.agent({
      echo: async ({ fence }: WorkContext) => {
        fences.push(fence);
        if (fence === 1) await gate.promise;
        return fence;
      },
    });
    await until('the agent is heard', () => isAlive(stage));
    const first = stage.commands.run(attemptOf('op-1/a', { fence: 1 }), work);
    await until('the first is under way', () => fences.length === 1);
    const waiting = stage.commands.run(attemptOf('op-2/a', { fence: 2 }), work);
    await assert.rejects(first, { kind: 'conflict', message: /later command/ });
    // The one that is under way is waited for: two at once of one resource would be worse than a late one.
    assert.deepEqual(fences, [1]);
    gate.resolve();
    assert.equal(await waiting, 2);
    await assert.rejects(stage.commands.run(attemptOf('op-3/a', { fence: 1 }), work), { kind: 'conflict' });
    assert.deepEqual(fences, [1, 2]);
  });

  it('that nobody waits for any more is not begun', async () => {
    await using stage = await HostStage.open(engine, { timeoutMs: 50, deadAfterMs: 2_400 });
    const link = bound(stage.service);
    const session = await link.register(
      { name: 'node-1', instance: 'i', address: 'a', version: '', capabilities: {} },
      AbortSignal.timeout(5_000),
    );
    await assert.rejects(stage.commands.run(attemptOf('op-1/a'), work), { kind: 'unavailable' });
    const { work: taken } = await link.take(session, ['none'], AbortSignal.timeout(20_000));
    assert.deepEqual(taken, []);
  });

  it('has its secrets sealed while it stands in the store, and gone when it has ended', async () => {
    await using stage = await HostStage.open(engine);
    const secrets: (string | null)[] = [];
    const stored: unknown[] = [];
    const rows = () => stage.store.read((reader) => reader.rows('select * from host_work', []));
    stage.agent({
      echo: async ({ secret }) => {
        secrets.push(secret);
        stored.push(await rows());
      },
    });
    await until('the agent is heard', () => isAlive(stage));
    await stage.commands.run(attemptOf('op-1/a'), { ...work, secret: 'correct horse' });
    stored.push(await rows());
    assert.deepEqual(secrets, ['correct horse']);
    assert.equal(JSON.stringify(stored).includes('correct'), false);
    assert.equal(JSON.stringify(stored[0]).includes('hfs1.'), true);
    assert.equal(JSON.stringify(stored[1]).includes('hfs1.'), false);
  });
});

onEveryStore('hosts', (engine) => {
  it('have one agent at a time: a second waits while the first is heard', async () => {
    await using stage = await HostStage.open(engine);
    const first = stage.agent({ echo: () => Promise.resolve('first') });
    await until('the agent is heard', () => isAlive(stage));
    stage.agent({ echo: () => Promise.resolve('second') });
    await until('the second is refused', () => stage.errors.length > 0);
    assert.equal((stage.errors[0] as HoldfastError).details['reason'], 'alive');
    assert.equal(await stage.commands.run(attemptOf('op-1/a'), work), 'first');
    await first.stop();
    await until('the second speaks', async () => (await stage.commands.find('node-1'))?.epoch === 2);
    assert.equal(await stage.commands.run(attemptOf('op-2/a'), work), 'second');
  });

  it('that fall silent are slow, then dead, then alive again, and an agent that was replaced says nothing more', async () => {
    await using stage = await HostStage.open(engine, { deadAfterMs: 24_000 });
    const link = bound(stage.service);
    const facts = { name: 'node-1', instance: 'one', address: 'a', version: '', capabilities: {} };
    const session = await link.register(facts, AbortSignal.timeout(5_000));
    const state = async () => (await stage.commands.find('node-1'))?.state;
    const states = [await state()];
    for (let quarter = 0; quarter < 4; quarter++) {
      await stage.store.write(ageHost, { name: 'node-1', silentMs: 6_000 });
      states.push(await state());
    }
    assert.deepEqual(states, ['alive', 'slow', 'slow', 'slow', 'dead']);
    await assert.rejects(stage.commands.run(attemptOf('op-1/a'), work), { kind: 'unavailable', message: /dead/ });
    await link.take(session, [], AbortSignal.timeout(20_000));
    assert.equal(await state(), 'alive');
    await stage.store.write(ageHost, { name: 'node-1', silentMs: 6_000 });
    assert.equal(await state(), 'slow');
    await link.register({ ...facts, instance: 'two' }, AbortSignal.timeout(5_000));
    const replaced = { kind: 'conflict', details: { reason: 'replaced' } };
    await assert.rejects(link.take(session, [], AbortSignal.timeout(5_000)), replaced);
    await assert.rejects(link.report(session, [], [], AbortSignal.timeout(5_000)), replaced);
  });

  it('are known again by their agent when the answer to its registration was lost', async () => {
    await using stage = await HostStage.open(engine);
    const facts = { name: 'node-1', instance: 'one', address: 'a', version: '', capabilities: {} };
    const { session: lost } = await stage.service.register(facts);
    const again = await stage.service.register(facts);
    assert.notEqual(again.session, lost);
    await assert.rejects(stage.service.register({ ...facts, instance: 'two' }), {
      details: { reason: 'alive', host_id: again.hostId },
    });
    await stage.service.report(again, [], []);
  });

  it('say what they see, and are told what should be there', async () => {
    await using stage = await HostStage.open(engine);
    const wanted: unknown[] = [];
    const agent = stage.agent({}, { onWanted: (each) => wanted.push(each) });
    agent.tell('devices', [{ name: 'vda' }]);
    await until('the agent is heard', () => isAlive(stage));
    const { id } = await stage.commands.require('node-1');
    await until('it has spoken', async () => (await stage.commands.reported(id, 'devices')) !== null);
    agent.tell('devices', [{ name: 'vdb' }]);
    await until('it sees another', async () =>
      JSON.stringify(await stage.commands.reported(id, 'devices')).includes('vdb'),
    );
    await stage.commands.run(attemptOf('op-1/a'), { ...work, kind: 'none' }).catch(() => undefined);
    await until('it was told', () => wanted.length > 0);
    assert.deepEqual(wanted[0], { greeting: 'hello node-1' });
  });
});

function bound(service: HostService): AgentLink {
  return {
    register: (facts) => service.register(facts),
    take: (session, known, signal) => service.take(session, known, signal),
    report: (session, results, reports) => service.report(session, results, reports),
    release: (session) => service.release(session),
  };
}

/** A link of an agent whose machine can be switched off: nothing of it comes through any more. */
function deadLink(service: HostService): { readonly link: AgentLink; die(): void } {
  let isDead = false;
  const inner = bound(service);
  const through = <T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> =>
    isDead ? never(signal) : Promise.race([call(), never(signal)]).then((answer) => (isDead ? never(signal) : answer));
  return {
    die: () => (isDead = true),
    link: {
      register: (facts, signal) => through(signal, () => inner.register(facts, signal)),
      take: (session, known, signal) => through(signal, () => inner.take(session, known, signal)),
      report: (session, results, reports, signal) =>
        through(signal, () => inner.report(session, results, reports, signal)),
      release: () => Promise.resolve(),
    },
  };
}

/** Ends only by the signal. */
function never(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = () => reject(new Error('aborted'));
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
