import { WakeLoop } from '../../kernel/concurrency/wake-loop.ts';
import type { Sealer } from '../../kernel/secrets/sealer.ts';
import { activeTargetRows } from '../queries.ts';
import { openTarget } from '../secrets.ts';
import type { Sender } from '../senders/sender.ts';
import type { TargetRow } from '../tables.ts';
import type { OpenTarget } from '../target.ts';
import { deliveriesTopic } from '../topics.ts';
import { Lane, type LaneOptions } from './lane.ts';

const pollMs = 1_000;

export interface DelivererOptions extends LaneOptions {
  readonly sealer: Sealer;
  openSender(target: OpenTarget): Sender;
}

/** Delivers what waits, in this process: a lane for each target for which anything did. */
export class Deliverer {
  readonly #options: DelivererOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #loop: WakeLoop;
  #unsubscribe: () => void = () => {};
  #seenCommits = -1;

  constructor(options: DelivererOptions) {
    this.#options = options;
    const onError = (error: unknown) => options.onError(error, 'deliveries could not be looked for');
    this.#loop = new WakeLoop({ look: () => this.#look(), failedMs: pollMs, onError });
  }

  start(): void {
    this.#unsubscribe = this.#options.store.subscribe(deliveriesTopic, () => this.wake());
    this.wake();
  }

  /** Says that there may be something to deliver. Cheap, and may be called at any rate. */
  wake(): void {
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#loop.stop();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop()));
  }

  async #look(): Promise<number> {
    const { store } = this.#options;
    const { commits } = store;
    // Nothing that is in the store can have become other than it was.
    if (commits !== null && commits === this.#seenCommits) return pollMs;
    const rows = await store.read(activeTargetRows);
    await this.#endOthers(rows);
    for (const row of rows) if (row.waiting > 0) this.#laneOf(row)?.wake();
    this.#seenCommits = commits ?? -1;
    return pollMs;
  }

  /** Lanes of targets that were changed, disabled or removed are let go of. */
  async #endOthers(rows: readonly TargetRow[]): Promise<void> {
    const versions = new Map(rows.map(({ name, version }) => [name, version]));
    const others = [...this.#lanes].filter(([name, lane]) => versions.get(name) !== lane.target.version);
    for (const [name] of others) this.#lanes.delete(name);
    await Promise.all(others.map(([, lane]) => lane.stop()));
  }

  #laneOf(row: TargetRow): Lane | null {
    const known = this.#lanes.get(row.name);
    if (known !== undefined) return known;
    try {
      const target = openTarget(this.#options.sealer, row);
      const lane = new Lane(target, this.#options.openSender(target), this.#options);
      this.#lanes.set(row.name, lane);
      return lane;
    } catch (error) {
      this.#options.onError(error, `the target ${row.name} cannot be reached`);
      return null;
    }
  }
}
