import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import type { SeededRandom } from './objects-random.ts';
import { suspend } from '../support/suspend.ts';

const stopTimeoutMs = 30_000;

/** Gateways on one store that are killed, paused and started again. */
export class Fleet {
  readonly #flags: Readonly<Record<string, string>>;
  readonly #random: SeededRandom;
  readonly #gateways: (ServeProcess | null)[];
  readonly #paused = new Set<ServeProcess>();

  constructor(size: number, flags: Readonly<Record<string, string>>, random: SeededRandom) {
    this.#flags = flags;
    this.#random = random;
    this.#gateways = Array.from({ length: size }, () => null);
  }

  get size(): number {
    return this.#gateways.length;
  }

  /** One that runs, maybe a paused one; `null` while there is none. */
  any(): ServeProcess | null {
    const running = this.#gateways.filter((gateway) => gateway !== null);
    return running.length === 0 ? null : this.#random.pick(running);
  }

  /** One that runs and is not paused. */
  awake(): ServeProcess | null {
    return this.#gateways.find((gateway) => gateway !== null && !this.#paused.has(gateway)) ?? null;
  }

  /** The one of a number; throws when it does not run. */
  get(index: number): ServeProcess {
    const gateway = this.#gateways[index];
    if (gateway == null) throw new Error(`gateway ${index} does not run`);
    return gateway;
  }

  /** `more` is for this start alone. */
  async start(index: number, more: Readonly<Record<string, string>> = {}): Promise<ServeProcess> {
    const flags = { port: '0', 'log-level': 'error', ...this.#flags, ...more };
    return (this.#gateways[index] = await serveProcess(flags));
  }

  /** @throws Error with what it printed when it has ended by itself. */
  async kill(index: number): Promise<void> {
    const gateway = this.#take(index);
    if (gateway === null) return;
    const isRunning = isAlive(gateway.pid);
    await gateway.kill();
    if (!isRunning) throw new Error(`gateway ${index} ended by itself: ${gateway.output()}`);
  }

  /** @throws Error when it does not end in order, and in time. */
  async stop(index: number): Promise<void> {
    const gateway = this.#take(index);
    if (gateway === null) return;
    const timer = setTimeout(() => void gateway.kill(), stopTimeoutMs);
    const code = await gateway.stop();
    clearTimeout(timer);
    if (code !== 0) throw new Error(`gateway ${index} was told to stop and ended with ${code}: ${gateway.output()}`);
  }

  /** What the running ones have printed. */
  output(): string {
    return this.#gateways.map((gateway) => gateway?.output() ?? '').join('\n');
  }

  /** Stops a process in its tracks: it neither runs nor dies. */
  async pause(index: number): Promise<void> {
    const gateway = this.get(index);
    this.#paused.add(gateway);
    await suspend(gateway.pid);
  }

  resume(): void {
    for (const gateway of this.#paused) {
      if (this.#gateways.includes(gateway)) process.kill(gateway.pid, 'SIGCONT');
    }
    this.#paused.clear();
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#gateways.keys().map((index) => this.kill(index)));
  }

  #take(index: number): ServeProcess | null {
    const gateway = this.#gateways[index] ?? null;
    this.#gateways[index] = null;
    return gateway;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** So that nothing outlives a test that is ended. */
export function killWithThisProcess(fleet: Fleet): Disposable {
  const onExit = () => void fleet.killAll().catch(() => undefined);
  process.on('exit', onExit);
  return { [Symbol.dispose]: () => void process.off('exit', onExit) };
}
