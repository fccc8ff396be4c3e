/**
 * Which native calls are under way, so that a hang inside the libraries can be told from slow but honest work.
 * Every RADOS operation ends by `rados_osd_op_timeout`, so a short call that is still out after a minute is stuck.
 */
const SHORT_CALL_LIMIT_MS = 60_000;
const LONG_CALL_LIMIT_MS = 60 * 60_000;

/** Calls whose work grows with the size of the image. */
const LONG_CALLS: ReadonlySet<string> = new Set([
  'rbd_flatten',
  'rbd_remove',
  'rbd_trash_remove',
  'rbd_snap_remove2',
  'rbd_snap_remove_by_id',
  'rbd_snap_rollback',
  'rbd_resize2',
]);

export class NativeCalls {
  readonly #running = new Map<number, { readonly name: string; readonly startedMs: number }>();
  #next = 0;

  /** Notes the call for as long as its promise is open. */
  async track<T>(name: string, call: () => Promise<T>): Promise<T> {
    const id = this.#next++;
    this.#running.set(id, { name, startedMs: performance.now() });
    try {
      return await call();
    } finally {
      this.#running.delete(id);
    }
  }

  get count(): number {
    return this.#running.size;
  }

  /** Names of the calls that have been out for longer than any healthy call of their sort. */
  stuck(): readonly string[] {
    const nowMs = performance.now();
    const isStuck = (call: { name: string; startedMs: number }): boolean =>
      nowMs - call.startedMs > (LONG_CALLS.has(call.name) ? LONG_CALL_LIMIT_MS : SHORT_CALL_LIMIT_MS);
    return [...this.#running.values()].filter(isStuck).map((call) => call.name);
  }
}
