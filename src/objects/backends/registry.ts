import type { ObjectBackend } from './backend.ts';
import type { ReadHealthView } from './latency.ts';
import type { UsageMeter } from './usage.ts';

/** A backend as the gateway knows it in this process. */
export interface KnownBackend {
  readonly name: string;
  readonly kind: string;
  readonly state: 'active' | 'draining';
  readonly labels: Readonly<Record<string, string>>;
  /** Order of filling for `pack`. */
  readonly position: number;
  readonly quotaBytes: number | null;
  readonly objectBytesMax: number | null;
  readonly version: number;
  /** Every call is counted, timed and judged by the breaker. */
  readonly backend: ObjectBackend;
  /** Whether calls are let through now: the breaker is closed, or lets a probe pass. */
  isOpenFor(purpose: 'read' | 'write'): boolean;
  /** Smoothed time to the first byte, in ms. */
  readonly latencyMs: number;
  /** What reads of it were like lately; absent where nothing is measured. */
  readonly reads?: ReadHealthView;
  /** Whether a monthly limit is reached: writes go elsewhere then, and so do reads that can; deletes go on. */
  isOver(meter: UsageMeter): boolean;
}

/** The backends of this process, kept in step with the store's rows. */
export interface ObjectBackendRegistry {
  /** All, in order of position. */
  readonly all: readonly KnownBackend[];
  get(name: string): KnownBackend | null;
  /** Reads the rows again. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}
