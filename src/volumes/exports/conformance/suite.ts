import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type ErrorKind, HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ExportContext, ExportSource, ExportSpec, ExportTarget, LiveExport } from '../target.ts';
import type { ExportHarness } from './harness.ts';

export const MIB = 1024n * 1024n;
const CALL_TIMEOUT_MS = 60_000;

/** What the groups of tests share: the harness, once it stands, and makers of exports. */
export class Suite {
  #harness: ExportHarness | null = null;

  set harness(harness: ExportHarness) {
    this.#harness = harness;
  }

  get harness(): ExportHarness {
    if (this.#harness === null) throw new Error('the target of the suite was not set up');
    return this.#harness;
  }

  get target(): ExportTarget {
    return this.harness.target;
  }

  /** A wish for an export of a new image. */
  async wish(overrides: Partial<ExportSpec> = {}, sizeBytes = 4n * MIB): Promise<ExportSpec> {
    const source = overrides.source ?? (await this.harness.newImage(sizeBytes));
    return newSpec(source, { allowedHosts: this.harness.allowedHosts, ...overrides });
  }

  async make(
    overrides: Partial<ExportSpec> = {},
    sizeBytes = 4n * MIB,
  ): Promise<{ readonly spec: ExportSpec; readonly live: LiveExport }> {
    const spec = await this.wish(overrides, sizeBytes);
    return { spec, live: await this.target.add(at(), spec) };
  }

  async find(exportId: string): Promise<LiveExport | undefined> {
    return (await this.target.list(at())).find((live) => live.exportId === exportId);
  }

  async remove(exportId: string, force = false): Promise<void> {
    await this.target.remove(at(), exportId, { force });
  }
}

export function newSpec(source: ExportSource, overrides: Partial<ExportSpec> = {}): ExportSpec {
  const ids = { exportId: `exp-${randomUUID()}`, volumeId: `vol-${randomUUID()}`, generation: 1 };
  return { ...ids, readOnly: false, qos: {}, tls: null, allowedHosts: [], ...overrides, source };
}

export function at(timeoutMs = CALL_TIMEOUT_MS): ExportContext {
  return { signal: AbortSignal.timeout(timeoutMs) };
}

/** A check for `assert.rejects`: an error of this kind, with a sentence for people. */
export function isKind(kind: ErrorKind, details: Readonly<Record<string, unknown>> = {}) {
  return (error: unknown): true => {
    assert.ok(error instanceof HoldfastError, `not an error of ours: ${String(error)}`);
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, /^[A-Zq].{8,}[.]$/s, 'a sentence for people');
    for (const [key, value] of Object.entries(details)) assert.deepEqual(error.details[key], value, error.message);
    return true;
  };
}
