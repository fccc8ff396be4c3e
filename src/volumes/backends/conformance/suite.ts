import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { type ErrorKind, HoldfastError } from '../../../kernel/errors/errors.ts';
import type {
  BackendCapabilities,
  BackendContext,
  CreateImage,
  FencedContext,
  ImageAttachment,
  ImageFacts,
  SnapshotFacts,
  VolumeBackend,
} from '../backend.ts';
import type { BackendHarness } from './harness.ts';

export const MIB = 1024n * 1024n;
/** Not a multiple of any block, so that rounding shows. */
export const ODD_BYTES = 3n * MIB + 12_345n;
const CALL_TIMEOUT_MS = 60_000;

/** What the groups of tests share: the harness, once it stands, and makers of unique images. */
export class Suite {
  #harness: BackendHarness | null = null;

  set harness(harness: BackendHarness) {
    this.#harness = harness;
  }

  get harness(): BackendHarness {
    if (this.#harness === null) throw new Error('the backend of the suite was not set up');
    return this.#harness;
  }

  get backend(): VolumeBackend {
    return this.harness.backend;
  }

  /** Whether the capability is there; skips the test with the reason when it is not. */
  needs(t: TestContext, capability: keyof BackendCapabilities): boolean {
    if (this.backend.capabilities[capability]) return true;
    t.skip(`the backend has no ${capability}`);
    return false;
  }

  /** Makes an empty volume and gives its facts. */
  make(overrides: Partial<CreateImage> = {}): Promise<ImageFacts> {
    return this.backend.create(at(), newVolume(overrides));
  }

  /** Makes a volume with the snapshot `s1`. */
  async makeWithSnapshot(overrides: Partial<CreateImage> = {}): Promise<ImageFacts> {
    const made = await this.make(overrides);
    await this.backend.createSnapshot(at(), made.image, 's1');
    return made;
  }

  async mustInspect(image: string, backend: VolumeBackend = this.backend): Promise<ImageFacts> {
    const facts = await backend.inspect(reading(), image);
    assert.ok(facts !== null, `${image} stands`);
    return facts;
  }

  /** The snapshots of an image, in the order of their names: the port promises none. */
  async snapshots(image: string): Promise<readonly SnapshotFacts[]> {
    const snapshots = await this.backend.listSnapshots(reading(), image);
    return snapshots.toSorted((a, b) => (a.snapshot < b.snapshot ? -1 : 1));
  }
}

export function newVolume(overrides: Partial<CreateImage> = {}): CreateImage {
  const volumeId = newId();
  return { image: volumeId, volumeId, name: 'a volume', sizeBytes: MIB, ...overrides };
}

/** An id such as volumes have; also a name that no image has. */
export function newId(): string {
  return `vol-${randomUUID()}`;
}

export function newAttachment(overrides: Partial<ImageAttachment> = {}): ImageAttachment {
  return { attachmentId: `att-${randomUUID()}`, nodeId: 'node-a', generation: 1, mode: 'rw', ...overrides };
}

/** The context of a mutating call. */
export function at(fence = 1): FencedContext {
  return { fence, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) };
}

/** The context of a reading call. */
export function reading(): BackendContext {
  return { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) };
}

/** A check for `assert.rejects`: an error of this kind, with a sentence for people. */
export function isKind(kind: ErrorKind, details: Readonly<Record<string, unknown>> = {}) {
  return (error: unknown): true => {
    assert.ok(error instanceof HoldfastError, `not an error of ours: ${String(error)}`);
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, /^[A-Z].{8,}[.]$/s, 'a sentence for people');
    for (const [key, value] of Object.entries(details)) assert.deepEqual(error.details[key], value, error.message);
    return true;
  };
}

export function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
