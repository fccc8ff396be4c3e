import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { freePort } from '../test/support/free-port.ts';
import { type StoreEngine, onEveryStore } from '../test/support/stores.ts';
import { until } from '../test/support/wait.ts';
import { Client } from './client.ts';
import { reportBytesMax } from './hosts/contract.ts';
import type { AgentLink } from './hosts/agent/link.ts';
import { hostRoutes } from './hosts/routes.ts';
import { HostStage, attemptOf } from './hosts/test-hosts.ts';
import { httpLink } from './http-link.ts';
import { HoldfastError } from './kernel/errors/errors.ts';
import { createAuthorizer } from './kernel/http/authorizer.ts';
import { createHttpServer } from './kernel/http/server.ts';
import { createLog } from './kernel/telemetry/log.ts';
import { createMetrics } from './kernel/telemetry/metrics.ts';

const facts = { name: 'node-1', instance: 'one', address: '127.0.0.1', version: 'test', capabilities: {} };
const work = { host: 'node-1', resource: 'volume:1', kind: 'echo', input: { n: 1 } };
const soon = () => AbortSignal.timeout(20_000);

/** A server of hosts that can be reached, and left, over HTTP. */
class WiredStage implements AsyncDisposable {
  readonly stage: HostStage;
  #app: FastifyInstance;
  readonly #port: number;

  private constructor(stage: HostStage, port: number) {
    this.stage = stage;
    this.#port = port;
    this.#app = appOf(stage);
  }

  static async open(engine: StoreEngine, options: { deadAfterMs?: number } = {}): Promise<WiredStage> {
    const wired = new WiredStage(await HostStage.open(engine, options), await freePort());
    await wired.comeBack();
    return wired;
  }

  get link(): AgentLink {
    return httpLink(new Client({ url: `http://127.0.0.1:${this.#port}` }));
  }

  async goAway(): Promise<void> {
    await this.#app.close();
  }

  async comeBack(): Promise<void> {
    this.#app = appOf(this.stage);
    await this.#app.listen({ host: '127.0.0.1', port: this.#port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app.close();
    await this.stage[Symbol.asyncDispose]();
  }
}

function appOf({ service, commands, store }: HostStage): FastifyInstance {
  const log = createLog({ level: 'silent' });
  const options = { log, metrics: createMetrics(), authorizer: createAuthorizer(store), tracer: null };
  return createHttpServer(options, hostRoutes(service, commands));
}

onEveryStore('an agent over HTTP', (engine) => {
  it('is given work as soon as there is some, and nothing only after a heartbeat', async () => {
    await using wired = await WiredStage.open(engine, { deadAfterMs: 6_000 });
    const { link, stage } = wired;
    const session = await link.register(facts, soon());
    assert.equal(session.heartbeatMs, 500);
    const beganAt = performance.now();
    assert.deepEqual(await link.take(session, [], soon()), { work: [], wanted: { greeting: 'hello node-1' } });
    assert.ok(performance.now() - beganAt > 400, 'the question stood open');
    const outcome = stage.commands.run(attemptOf('op-1/a'), { ...work, secret: 'correct horse' });
    const taken = await until('there is work', async () => (await link.take(session, [], soon())).work[0]);
    assert.deepEqual(
      { ...taken, timeoutMs: 0 },
      {
        id: taken.id,
        resource: 'volume:1',
        kind: 'echo',
        fence: 1,
        input: { n: 1 },
        secret: 'correct horse',
        timeoutMs: 0,
      },
    );
    assert.ok(taken.timeoutMs > 0);
    await link.report(session, [{ id: taken.id, output: { done: true }, error: null }], [], soon());
    assert.deepEqual(await outcome, { done: true });
    await link.release(session, soon());
    assert.equal((await stage.commands.find('node-1'))?.state, 'left');
  });

  it('hears errors as what they were on the other side', async () => {
    await using wired = await WiredStage.open(engine);
    const { link } = wired;
    const { hostId } = await link.register(facts, soon());
    const alive = { name: 'HoldfastError', kind: 'conflict', details: { reason: 'alive', host_id: hostId } };
    await assert.rejects(link.register({ ...facts, instance: 'two' }, soon()), alive);
    const stranger = { hostId, session: 'another', heartbeatMs: 0 };
    const replaced = { name: 'HoldfastError', kind: 'conflict', details: { reason: 'replaced' } };
    await assert.rejects(link.take(stranger, [], soon()), replaced);
    await assert.rejects(link.report(stranger, [], [{ section: 'devices', data: [] }], soon()), replaced);
    await assert.rejects(link.register({ ...facts, name: 'two words' }, soon()), { kind: 'invalid' });
    await wired.goAway();
    await assert.rejects(link.register(facts, soon()), { name: 'HoldfastError', kind: 'unavailable' });
  });

  it('ends a question that stands open when it stops', async () => {
    await using wired = await WiredStage.open(engine);
    const { link } = wired;
    const session = await link.register(facts, soon());
    const stopping = new AbortController();
    const beganAt = performance.now();
    setTimeout(() => stopping.abort(), 50);
    await assert.rejects(link.take(session, [], stopping.signal), { name: 'AbortError' });
    assert.ok(performance.now() - beganAt < session.heartbeatMs);
  });

  it('tells of thousands of devices, and of the end of work also when a section is too large', async () => {
    await using wired = await WiredStage.open(engine);
    const { link, stage } = wired;
    const session = await link.register(facts, soon());
    const devices = Array.from({ length: 4_096 }, (_, n) => ({ name: `sd${n}`, serial: 's'.repeat(800) }));
    await link.report(session, [], [{ section: 'devices', data: devices }], soon());
    assert.deepEqual(await stage.commands.reported(session.hostId, 'devices'), devices);

    const outcome = assert.rejects(stage.commands.run(attemptOf('op-1/a'), work), {
      kind: 'backend',
      message: 'x'.repeat(10_000),
    });
    const taken = await until('there is work', async () => (await link.take(session, [], soon())).work[0]);
    const results = [{ id: taken.id, output: null, error: { kind: 'backend', message: 'x'.repeat(50_000) } as const }];
    const tooLarge = [{ section: 'exports', data: 'x'.repeat(reportBytesMax) }];
    await assert.rejects(link.report(session, results, tooLarge, soon()), { kind: 'invalid', message: /larger than/ });
    await outcome;
    // Together they are larger than what one request takes.
    const many = Array.from({ length: 6 }, (_, n) => ({ id: `w-${n}`, output: 'x'.repeat(3_500_000), error: null }));
    await link.report(session, many, [], soon());
  });

  it('waits for a server that is away, says so once, and goes on with the same session', async () => {
    await using wired = await WiredStage.open(engine, { deadAfterMs: 6_000 });
    const { stage, link } = wired;
    let asked = 0;
    let recovered = 0;
    const counting: AgentLink = { ...link, take: (...args) => (asked++, link.take(...args)) };
    const agent = stage.agent(
      { echo: () => Promise.resolve('done') },
      { link: counting, onRecovered: () => recovered++, retryWaitMs: 10 },
    );
    await until('the agent has joined and asks', () => asked > 0);
    await wired.goAway();
    agent.tell('devices', []);
    const before = asked;
    await until('it has asked in vain', () => asked >= before + 4);
    const told = stage.errors.map((error) => (error instanceof HoldfastError ? error.kind : String(error)));
    assert.deepEqual(told, ['unavailable']);
    await wired.comeBack();
    await until('all is well again', () => recovered === 1);
    assert.equal(await stage.commands.run(attemptOf('op-1/a'), work), 'done');
    assert.deepEqual([stage.errors.length, (await stage.commands.find('node-1'))?.epoch], [1, 1]);
  });
});
