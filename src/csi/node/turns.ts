import { CsiRefusal } from '../status.ts';

/** One call at a time for each volume: a second one is refused, and comes again. */
export class Turns {
  readonly #busy = new Set<string>();

  /** @throws CsiRefusal `ABORTED` while another call has the volume. */
  async take<T>(volumeId: string, work: () => Promise<T>): Promise<T> {
    if (this.#busy.has(volumeId)) {
      throw new CsiRefusal('ABORTED', `Another call works on volume ${volumeId.slice(0, 200)} at this node.`);
    }
    this.#busy.add(volumeId);
    try {
      return await work();
    } finally {
      this.#busy.delete(volumeId);
    }
  }
}
