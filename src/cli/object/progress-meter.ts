import { formatSize } from '../../kernel/config/size.ts';

/** The rate is of the last seconds, so that it tells what is, not what was. */
const windowMs = 5_000;
const samplesMax = 64;
const barCells = 20;

export interface Totals {
  readonly bytes: number;
  readonly objects: number;
}

/** Counts what moves; pure: the time is given. */
export class ProgressMeter {
  #bytes = 0;
  #objects = 0;
  #totals: Totals | null = null;
  #samples: { readonly atMs: number; readonly bytes: number }[];

  constructor(nowMs: number) {
    this.#samples = [{ atMs: nowMs, bytes: 0 }];
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  objectDone(): void {
    this.#objects++;
  }

  /** What there is in all, once it is known. */
  setTotals(totals: Totals): void {
    this.#totals = totals;
  }

  /** One line of what was moved, how fast, and how long it takes still. */
  line(nowMs: number): string {
    const rate = this.#rate(nowMs);
    const totals = this.#totals;
    const isCounting = totals === null || totals.objects > 1;
    return [
      ...(totals === null ? [size(this.#bytes)] : this.#share(totals)),
      `${size(rate)}/s`,
      ...this.#remaining(totals, rate),
      ...(isCounting ? [totals === null ? `${this.#objects} done` : `${this.#objects} of ${totals.objects} done`] : []),
    ].join('  ');
  }

  /** Bytes in a second. */
  #rate(nowMs: number): number {
    this.#samples.push({ atMs: nowMs, bytes: this.#bytes });
    const begin = this.#samples.findLastIndex(({ atMs }) => atMs <= nowMs - windowMs);
    this.#samples = this.#samples.slice(Math.max(0, begin, this.#samples.length - samplesMax));
    const first = this.#samples[0]!;
    const elapsedMs = nowMs - first.atMs;
    return elapsedMs <= 0 ? 0 : Math.max(0, ((this.#bytes - first.bytes) * 1000) / elapsedMs);
  }

  #share({ bytes }: Totals): string[] {
    const amount = `${size(this.#bytes)} of ${size(bytes)}`;
    if (bytes === 0) return [amount];
    const percent = Math.max(0, Math.min(100, Math.floor((this.#bytes * 100) / bytes)));
    return [bar(percent), `${amount} (${percent} %)`];
  }

  #remaining(totals: Totals | null, rate: number): string[] {
    if (totals === null || rate < 1) return [];
    return [`${span(Math.max(0, totals.bytes - this.#bytes) / rate)} left`];
  }
}

function bar(percent: number): string {
  const full = Math.floor((percent * barCells) / 100);
  return `[${'#'.repeat(full)}${'-'.repeat(barCells - full)}]`;
}

/** Seconds for people. */
export function span(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 360_000) return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
  return 'days';
}

function size(bytes: number): string {
  return formatSize(BigInt(Math.max(0, Math.floor(bytes))));
}
