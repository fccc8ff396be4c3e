import { until } from '../../../test/support/wait.ts';
import type { StoreEngine } from '../../../test/support/stores.ts';
import { createIdSource, systemClock } from '../ids.ts';
import { kernelMigration } from '../store/migrations/0001_kernel.ts';
import { openStore, type StoreSettings } from '../store/open.ts';
import { call, type Call } from '../store/transaction.ts';
import { Engine, type EngineOptions, type Wish } from './engine.ts';
import type { Operation, OperationKind, Step } from './operation.ts';
import { getOperation, getSteps } from './queries.ts';
import type { Accepted, RunData } from './start.ts';
import { FaultyStore } from './test-store.ts';
import {
  acceptTest,
  expireReplica,
  lockOf,
  setState,
  statesOf,
  testMigration,
  type LockRow,
  type TestInput,
} from './test-transactions.ts';

export type TestKind = OperationKind<TestInput>;

/** Fresh data on which replicas come and go; disposing of it ends them all. */
export class Stage implements AsyncDisposable {
  readonly settings: StoreSettings;
  readonly #replicas: Replica[] = [];

  private constructor(settings: StoreSettings) {
    this.settings = settings;
  }

  static async open(engine: StoreEngine): Promise<Stage> {
    return new Stage(await engine.fresh([kernelMigration, testMigration]));
  }

  /** A process with its own view of the store. An embedded store takes a second one only after the first has ended. */
  async replica(kinds: readonly TestKind[], options: Partial<EngineOptions> = {}): Promise<Replica> {
    const store = new FaultyStore(await openStore(this.settings, { owner: true }));
    const replica = new Replica(store, kinds, options);
    this.#replicas.push(replica);
    await replica.engine.start();
    return replica;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const replica of this.#replicas) await replica.end(0);
  }
}

export class Replica {
  readonly store: FaultyStore;
  readonly engine: Engine;
  readonly errors: unknown[] = [];
  readonly finished: string[] = [];
  readonly adopted: RunData[] = [];
  readonly leasesLost: string[] = [];
  #isEnded = false;

  constructor(store: FaultyStore, kinds: readonly TestKind[], options: Partial<EngineOptions>) {
    this.store = store;
    this.engine = new Engine({
      store,
      clock: systemClock,
      newId: createIdSource(),
      runningMax: 64,
      heldMax: 10_000,
      leaseTtlMs: 30_000,
      observer: {
        onError: (error) => this.errors.push(error),
        onFinished: (run) => this.finished.push(run.id),
        onAdopted: (runs) => this.adopted.push(...runs),
        onLeaseLost: (id) => this.leasesLost.push(id),
      },
      ...options,
    });
    for (const kind of kinds) this.engine.register(kind);
  }

  accept(kind: TestKind, input: TestInput, wish: Partial<Wish> = {}): Promise<Accepted> {
    return this.engine.accept(acceptTest, { actor: 'test', idempotency: null, ...wish }, { kind: kind.name, input });
  }

  get(id: string): Promise<Operation | null> {
    return this.store.inner.read((reader) => getOperation(reader, id));
  }

  steps(id: string): Promise<Step[]> {
    return this.store.inner.read((reader) => getSteps(reader, id));
  }

  states(row: string): Promise<string[]> {
    return this.store.inner.read((reader) => statesOf(reader, row));
  }

  lock(row: string): Promise<LockRow> {
    return this.store.inner.read((reader) => lockOf(reader, row));
  }

  /** The operation once it has ended. */
  ended(id: string, timeoutMs?: number): Promise<Operation> {
    const read = async () => {
      const operation = await this.get(id).catch(() => null);
      return operation !== null && operation.finishedAtMs !== null && operation;
    };
    return until(`${id} has ended`, read, timeoutMs);
  }

  /** Stops in good order and closes the store. */
  async end(timeoutMs: number): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    await this.engine.stop(timeoutMs);
    await this.store.close();
  }

  /**
   * As if the process had been killed: nothing more of it reaches the store, where its operations stay on record as
   * running. Where its lease would run out later, it runs out now.
   */
  async crash(): Promise<void> {
    this.store.die();
    if (!this.store.exclusive) await this.store.inner.write(expireReplica, { id: this.engine.replicaId });
    await this.end(0);
  }
}

/** The domain's change of state, as a call for a commit. */
export function state(op: { readonly id: string; readonly input: TestInput }, name: string): Call {
  return call(setState, { row: op.input.row, state: name, operationId: op.id });
}
