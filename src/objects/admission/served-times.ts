/** What clients wait for. */
export type ServedKind = 'read' | 'write';

/** Slower than this many times what is usual is slow. */
const slowFactor = 1.5;
const slackMs = 2;
const recentShare = 0.2;
/** How fast what is usual follows while keepers rest, and while one call of theirs is under way, which tells less. */
const usualShare = 0.02;
const sharedShare = 0.000_5;
/** What nobody measured for so long tells nothing any more. */
const recentMs = 2_000;

/** How long clients wait for something of late, and usually: what that takes while next to nothing is done for keepers. */
export class ServedTimes {
  #recentMs = 0;
  #recentAtMs = Number.NEGATIVE_INFINITY;
  #usualMs: number | null = null;

  /** Hears of one, and how many calls of keepers are under way beside it. */
  add(tookMs: number, nowMs: number, background: number): void {
    const isFirst = nowMs - this.#recentAtMs > recentMs;
    this.#recentMs = isFirst ? tookMs : this.#recentMs + (tookMs - this.#recentMs) * recentShare;
    this.#recentAtMs = nowMs;
    if (background > 1) return;
    // What a keeper that always works has made slow must not become the usual at once.
    const share = background === 0 || tookMs < (this.#usualMs ?? 0) ? usualShare : sharedShare;
    this.#usualMs = this.#usualMs === null ? tookMs : this.#usualMs + (tookMs - this.#usualMs) * share;
  }

  isHeard(nowMs: number): boolean {
    return nowMs - this.#recentAtMs <= recentMs;
  }

  isSlow(nowMs: number): boolean {
    if (this.#usualMs === null || !this.isHeard(nowMs)) return false;
    return this.#recentMs > this.#usualMs * slowFactor + slackMs;
  }
}
