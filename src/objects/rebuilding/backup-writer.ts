import type { Clock } from '../../kernel/ids.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type BackupCoding, encodeBackup } from './backup-blob.ts';
import type { BackupLine } from './backup-lines.ts';
import { backupKey, backupLimits } from './backup-place.ts';

/** Lines in one blob, before they are compressed: what is compressed as one frame. */
const linesBytesMax = 1_000_000;

export interface BackupWriterOptions {
  readonly registry: ObjectBackendRegistry;
  readonly coding: BackupCoding;
  readonly clock: Clock;
  /** What becomes of a blob; when it is absent, it is written to every backend that takes writes. */
  deliver?(blob: EncodedBackup): Promise<void>;
  onError(error: unknown, about: string): void;
}

export interface EncodedBackup {
  readonly storageKey: string;
  readonly number: number;
  readonly bytes: Buffer;
}

/** Writes lines to every backend, a blob at a time. */
export class BackupWriter {
  readonly #options: BackupWriterOptions;
  readonly #generation: string;
  readonly #signal: AbortSignal;
  #next: number;
  #lines: string[] = [];
  #bytes = 0;
  count = 0;

  constructor(options: BackupWriterOptions, generation: string, next: number, signal: AbortSignal) {
    this.#options = options;
    this.#generation = generation;
    this.#next = next;
    this.#signal = signal;
  }

  /** The number of the blob that will be written next. */
  get next(): number {
    return this.#next;
  }

  async add(line: BackupLine): Promise<void> {
    const text = JSON.stringify(line);
    this.#lines.push(text);
    this.#bytes += Buffer.byteLength(text) + 1;
    this.count++;
    if (this.#bytes >= linesBytesMax) await this.flush(false);
  }

  /** Writes what has come together. Throws `unavailable` when no backend took it. */
  async flush(isWhole: boolean): Promise<void> {
    this.#signal.throwIfAborted();
    const { coding, clock, deliver } = this.#options;
    const place = { generation: this.#generation, number: this.#next };
    const own = Buffer.from(this.#lines.join('\n'));
    const bytes = await encodeBackup(own, place, coding, clock.nowMs());
    const storageKey = backupKey(place.generation, place.number, isWhole);
    if (deliver === undefined) await this.#writeEverywhere(storageKey, bytes);
    else await deliver({ storageKey, number: place.number, bytes });
    this.#next++;
    this.#lines = [];
    this.#bytes = 0;
  }

  async #writeEverywhere(key: string, blob: Buffer): Promise<void> {
    const { registry, onError } = this.#options;
    let taken = 0;
    let firstError: unknown = null;
    await Promise.all(
      registry.all.map(async ({ name, backend, state }) => {
        if (state !== 'active') return;
        try {
          // An attempt that a crash cut off may have left a part of it.
          await backend.delete(key, backupLimits(this.#signal));
          await backend.put(key, blob, { sizeBytes: blob.length, signal: backupLimits(this.#signal) });
          taken++;
        } catch (error) {
          firstError ??= error;
          onError(error, `the ledger was not backed up on the backend ${name}`);
        }
      }),
    );
    if (taken === 0)
      throw new HoldfastError('unavailable', 'No backend takes the backup of the ledger.', {}, firstError);
  }
}
