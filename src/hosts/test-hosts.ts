import { randomBytes, randomUUID } from 'node:crypto';
import type { StoreEngine } from '../../test/support/stores.ts';
import { createIdSource, systemClock } from '../kernel/ids.ts';
import type { Attempt } from '../kernel/operations/operation.ts';
import { createSealer } from '../kernel/secrets/sealer.ts';
import { parseSecretKey } from '../kernel/secrets/secret-key.ts';
import { kernelMigration } from '../kernel/store/migrations/0001_kernel.ts';
import { openStore } from '../kernel/store/open.ts';
import type { Store } from '../kernel/store/store.ts';
import { transaction } from '../kernel/store/transaction.ts';
import { Agent, type AgentOptions, type Executor } from './agent/agent.ts';
import { HostCommands } from './commands.ts';
import { hostTimes } from './host.ts';
import { hostsMigration } from './migrations/0006_hosts.ts';
import { HostService } from './service.ts';

/** As if a host had been silent for so much longer, without a wait. */
export const ageHost = transaction(
  import.meta.url,
  'ageHost',
  async (tx, { name, silentMs }: { readonly name: string; readonly silentMs: number }) =>
    tx.run('update hosts set heartbeat_at = heartbeat_at - ? where name = ?', [silentMs, name]),
);

/** A server's side of hosts over a fresh store, and agents that come and go; disposing of it ends them all. */
export class HostStage implements AsyncDisposable {
  readonly store: Store;
  readonly service: HostService;
  readonly commands: HostCommands;
  readonly errors: unknown[] = [];
  readonly #agents: Agent[] = [];

  private constructor(store: Store, deadAfterMs: number, timeoutMs: number) {
    this.store = store;
    const sealer = createSealer(parseSecretKey(randomBytes(32).toString('base64'), 'a test')!);
    const times = hostTimes(deadAfterMs);
    const newId = createIdSource();
    const wanted = (name: string) => Promise.resolve({ greeting: `hello ${name}` });
    this.service = new HostService({ store, sealer, clock: systemClock, newId, times, wanted });
    this.commands = new HostCommands({ store, sealer, times, timeoutMs });
  }

  static async open(
    engine: StoreEngine,
    { deadAfterMs = 60_000, timeoutMs = 10_000 }: { readonly deadAfterMs?: number; readonly timeoutMs?: number } = {},
  ): Promise<HostStage> {
    const settings = await engine.fresh([kernelMigration, hostsMigration]);
    return new HostStage(await openStore(settings, { owner: true }), deadAfterMs, timeoutMs);
  }

  /** An agent that is at work. */
  agent(executors: Readonly<Record<string, Executor>>, options: Partial<AgentOptions> = {}): Agent {
    const agent = new Agent({
      link: this.service,
      registration: { name: 'node-1', instance: randomUUID(), address: '127.0.0.1', version: 'test', capabilities: {} },
      executors,
      retryWaitMs: 20,
      onError: (error) => this.errors.push(error),
      ...options,
    });
    this.#agents.push(agent);
    agent.start();
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents) await agent.stop();
    await this.store.close();
  }
}

/** What a step's body gets. */
export function attemptOf(token: string, parts: Partial<Attempt> = {}): Attempt {
  return { attempt: 1, fence: 1, token, signal: AbortSignal.timeout(20_000), ...parts };
}
