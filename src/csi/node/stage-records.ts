import { hash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Access } from '../capabilities.ts';
import type { Labels } from '../messages.ts';

/** What must be known to undo a stage. It is written before the act, so that a crash leaves nothing without an owner. */
export interface StageRecord {
  readonly volumeId: string;
  readonly stagingPath: string;
  readonly access: Access;
  /** How to reach the volume, as the controller told it. */
  readonly context: Labels;
  /** What the connector wants to know of its connection. */
  readonly handle: Labels;
  /** A filesystem is being made: what is found on the device may be half of it. */
  readonly isFormatting: boolean;
  readonly targets: readonly { readonly path: string; readonly isReadOnly: boolean }[];
}

/** The records of this node: one file a volume, replaced as a whole. */
export class StageRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** `null` when the volume is not staged here. */
  async read(volumeId: string): Promise<StageRecord | null> {
    const path = this.#path(volumeId);
    try {
      return JSON.parse(await readFile(path, 'utf8')) as StageRecord;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      const message = `What is staged of volume ${volumeId} cannot be read from ${path}: ${(error as Error).message}`;
      throw new HoldfastError('internal', message, {}, error);
    }
  }

  /** Durable when this resolves. */
  async write(record: StageRecord): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const path = this.#path(record.volumeId);
    const draft = `${path}.${randomUUID()}.tmp`;
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(JSON.stringify(record));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await this.#sync();
  }

  async remove(volumeId: string): Promise<void> {
    await rm(this.#path(volumeId), { force: true });
  }

  #path(volumeId: string): string {
    const name = /^[A-Za-z0-9][A-Za-z0-9_-]{0,100}$/.test(volumeId) ? volumeId : `x-${hash('sha256', volumeId)}`;
    return join(this.#directory, `${name}.json`);
  }

  async #sync(): Promise<void> {
    const directory = await open(this.#directory, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}
