import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { drainWalk, drainingBackends, nextDraining } from '../ledger/draining.ts';
import { nextAway } from '../ledger/outages.ts';
import { dueShortfalls } from '../ledger/shortfalls.ts';
import type { PartRef } from '../ledger/surpluses.ts';
import type { ShortfallRow } from '../tables.ts';
import type { OwedFinder } from './find-owed.ts';
import type { ForeseenOutages } from './outage-watch.ts';

/** A part that wants copies, with how often that failed already. */
export type OwedPart = Pick<ShortfallRow, 'content_id' | 'part' | 'attempts' | 'failed_targets'>;

/** More pages than this are not looked at for a plan. */
const pagesMax = 50;

/**
 * What the replicator would take up, batch by batch, with the finders that fill its queue: what is due, what going through
 * all copies finds, and what stands on backends that drain or are away. Nothing is queued; what was given is not given again.
 */
export class ForeseenQueue {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #outages: ForeseenOutages;
  readonly #walks: { backend: string; walkedTo: string }[];
  readonly #drains = new Map<string, string>();
  readonly #given = new Set<string>();
  readonly #waiting: OwedPart[] = [];
  /** Whether all was found that a run would find. */
  isWhole = true;

  constructor(store: Store, clock: Clock, outages: ForeseenOutages) {
    this.#store = store;
    this.#clock = clock;
    this.#outages = outages;
    this.#walks = outages.walks.map((walk) => ({ ...walk }));
  }

  /** Finds what is due, and goes through copies, until `most` parts are found. */
  async begin(owed: OwedFinder, most: number, signal: AbortSignal): Promise<void> {
    const due = await this.#store.read((reader) => dueShortfalls(reader, this.#clock.nowMs(), most + 1));
    if (due.length > most) this.isWhole = false;
    for (const row of due) this.#enter({ contentId: row.content_id, part: row.part }, row);
    let pages = 0;
    for await (const page of owed.pages(signal)) {
      for (const one of page.owed) this.#enter(one);
      if (this.#waiting.length <= most && ++pages < pagesMax) continue;
      if (page.end !== '') this.isWhole = false;
      break;
    }
  }

  /** The next batch, as a run would take it up. */
  async next(limit: number): Promise<readonly OwedPart[]> {
    await this.#queueDraining(limit);
    await this.#queueAway(limit);
    return this.#waiting.splice(0, limit);
  }

  async #queueDraining(limit: number): Promise<void> {
    let queued = 0;
    for (const backend of await this.#store.read(drainingBackends)) {
      if (queued >= limit) return;
      const walkedTo = this.#drains.get(backend) ?? (await this.#store.read((reader) => drainWalk(reader, backend)));
      const go = await this.#store.read((reader) => nextDraining(reader, backend, { walkedTo, limit: limit - queued }));
      this.#drains.set(backend, go.walkedTo);
      for (const { content_id: contentId, part } of go.found) if (this.#enter({ contentId, part })) queued++;
    }
  }

  async #queueAway(limit: number): Promise<void> {
    const [walk] = this.#walks;
    if (walk === undefined) return;
    const away = [...this.#outages.away].sort();
    const go = await this.#store.read((reader) => nextAway(reader, walk, away, limit));
    walk.walkedTo = go.walkedTo;
    if (go.isWalked) this.#walks.shift();
    for (const { content_id: contentId, part } of go.found) this.#enter({ contentId, part });
  }

  #enter({ contentId, part }: PartRef, row: Partial<OwedPart> = {}): boolean {
    const id = `${contentId}/${part}`;
    if (this.#given.has(id)) return false;
    this.#given.add(id);
    const { attempts = 0, failed_targets = null } = row;
    this.#waiting.push({ content_id: contentId, part, attempts, failed_targets });
    return true;
  }
}
