import type { Sealer } from '../../kernel/secrets/sealer.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { BackendRow } from '../tables.ts';
import type { ObjectBackend, ObjectBackendKind } from './backend.ts';
import type { BreakerPolicy, BreakerView } from './breaker.ts';
import { brokenBackend } from './broken.ts';
import { type GuardTimeouts, GuardedBackend, type ObjectBackendObserver, type OnCircuit } from './guarded.ts';
import { ReadHealth } from './latency.ts';
import type { KnownBackend } from './registry.ts';
import { requireKind, settingsOf } from './settings.ts';
import type { UsageBook, UsageLimits, UsageMeter } from './usage.ts';

/** What every backend of a process is opened with. */
export interface ManagedOptions {
  readonly kinds: ReadonlyMap<string, ObjectBackendKind>;
  readonly sealer: Sealer;
  readonly usage: UsageBook;
  readonly policy: BreakerPolicy;
  readonly timeouts: GuardTimeouts;
  /** Monotonic. */
  readonly clock: Clock;
  readonly random: () => number;
  readonly observe: ObjectBackendObserver;
  readonly onCircuit: OnCircuit;
  readonly wrapBackend: (name: string, backend: ObjectBackend) => ObjectBackend;
}

const closedBreaker: BreakerView = { state: 'closed', reason: null, retryAfterMs: 0 };

/** A backend of this process: its row as last read, and the real one as opened with it. */
export class ManagedBackend implements KnownBackend {
  readonly #options: ManagedOptions;
  #row: BackendRow;
  #labels: Readonly<Record<string, string>> = {};
  #guard: GuardedBackend | null = null;
  #backend: ObjectBackend;
  #problem: string | null = null;
  #triedAtMs = 0;
  /** Of one that could not be opened. */
  readonly #unread: ReadHealth;

  constructor(row: BackendRow, options: ManagedOptions) {
    this.#options = options;
    this.#row = row;
    this.#unread = new ReadHealth(options.clock);
    this.#backend = this.#open();
  }

  get name(): string {
    return this.#row.name;
  }
  get kind(): string {
    return this.#row.kind;
  }
  get state(): 'active' | 'draining' {
    // Anything but active takes no new bytes.
    return this.#row.state === 'active' ? 'active' : 'draining';
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#labels;
  }
  get position(): number {
    return this.#row.position;
  }
  get quotaBytes(): number | null {
    return this.#row.quota_bytes;
  }
  get objectBytesMax(): number | null {
    return this.#row.object_bytes_max;
  }
  get version(): number {
    return this.#row.version;
  }
  get backend(): ObjectBackend {
    return this.#backend;
  }
  get latencyMs(): number {
    return this.#guard?.reads.latencyMs ?? 0;
  }
  get reads(): ReadHealth {
    return this.#guard?.reads ?? this.#unread;
  }

  /** Why it could not be opened; `null` when it was. */
  get problem(): string | null {
    return this.#problem;
  }
  /** When its row was made. */
  get createdAtMs(): number {
    return this.#row.created_at;
  }
  /** When opening it was last tried, by the monotonic clock. */
  get triedAtMs(): number {
    return this.#triedAtMs;
  }
  /** The real one without breaker and counters; `null` when it could not be opened. */
  get unguarded(): ObjectBackend | null {
    return this.#guard?.unguarded ?? null;
  }
  get breaker(): BreakerView {
    return this.#guard?.breakerView() ?? closedBreaker;
  }

  isOpenFor(purpose: 'read' | 'write'): boolean {
    return this.#guard !== null && this.#guard.isOpenFor(purpose);
  }

  isOver(meter: UsageMeter): boolean {
    const limits: UsageLimits = {
      requests: this.#row.month_requests_max,
      ingress: this.#row.month_ingress_bytes_max,
      egress: this.#row.month_egress_bytes_max,
    };
    return this.#options.usage.isOver(this.name, meter, limits);
  }

  /** See {@link GuardedBackend.probe}. */
  async probe(): Promise<void> {
    await this.#guard?.probe();
  }

  /**
   * Takes a newer row. Only other settings, or a problem to get over, open the real one again; then the one before is
   * given back, to be closed when what is under way there has ended.
   */
  update(row: BackendRow): GuardedBackend | null {
    const { kind, config, secrets } = this.#row;
    const isSame = kind === row.kind && config === row.config && secrets === row.secrets;
    this.#row = row;
    if (isSame && this.#problem === null) {
      this.#labels = labelsOf(row);
      return null;
    }
    const before = this.#guard;
    this.#backend = this.#open();
    return before;
  }

  /** Ends the real one; the rest of this object stays as it is for those who hold it. */
  async close(graceMs: number): Promise<void> {
    await this.#guard?.close(graceMs);
  }

  #open(): ObjectBackend {
    const { kinds, sealer, usage, policy, timeouts, clock, random, observe, onCircuit, wrapBackend } = this.#options;
    const { name, kind } = this.#row;
    this.#guard = null;
    this.#triedAtMs = clock.nowMs();
    try {
      this.#labels = labelsOf(this.#row);
      const opened = requireKind(kinds, kind).open(settingsOf(this.#row, sealer));
      const count = usage.count.bind(usage, name);
      const guardOptions = { name, policy, timeouts, clock, random, observe, onCircuit, count };
      this.#problem = null;
      this.#guard = new GuardedBackend(wrapBackend(name, opened), guardOptions);
      return this.#guard;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      return brokenBackend(name, this.#problem);
    }
  }
}

function labelsOf(row: BackendRow): Readonly<Record<string, string>> {
  return JSON.parse(row.labels) as Record<string, string>;
}
