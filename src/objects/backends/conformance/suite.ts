import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { type ErrorKind, HoldfastError } from '../../../kernel/errors/errors.ts';
import { type ByteRange, type Content, chunksOf } from '../../content/content.ts';
import type { BlobFacts, ObjectBackend, OpenBlob } from '../backend.ts';
import type { ConformanceOptions, ObjectBackendHarness } from './harness.ts';

const CLEANERS = 16;

/** What the groups of tests share: the harness, once it stands, and a record of the keys that a test has used. */
export class Suite {
  readonly options: ConformanceOptions;
  #harness: ObjectBackendHarness | null = null;
  readonly #keys = new Set<string>();

  constructor(options: ConformanceOptions) {
    this.options = options;
  }

  set harness(harness: ObjectBackendHarness) {
    this.#harness = harness;
  }

  get harness(): ObjectBackendHarness {
    if (this.#harness === null) throw new Error('the backend of the suite was not set up');
    return this.#harness;
  }

  get backend(): ObjectBackend {
    return this.harness.backend;
  }

  /** A signal with the deadline of one call. */
  signal(): AbortSignal {
    return AbortSignal.timeout(this.options.callTimeoutMs ?? 60_000);
  }

  /** A key that no other test uses, as the gateway makes them; it is removed after the test. */
  key(name: string = randomUUID()): string {
    return this.track(`${newRoot()}/${name}`);
  }

  /** Has the key removed after the test. */
  track(key: string): string {
    this.#keys.add(key);
    return key;
  }

  async clean(): Promise<void> {
    const keys = [...this.#keys];
    this.#keys.clear();
    if (this.harness.wipe !== undefined) return this.harness.wipe();
    const next = async (): Promise<void> => {
      for (let key = keys.pop(); key !== undefined; key = keys.pop()) await this.delete(key);
    };
    await Promise.all(Array.from({ length: CLEANERS }, next));
  }

  put(key: string, content: Content, sizeBytes?: number, signal = this.signal()): Promise<void> {
    this.track(key);
    const size = sizeBytes ?? (Buffer.isBuffer(content) ? content.length : Number.NaN);
    return this.backend.put(key, content, { sizeBytes: size, signal });
  }

  get(key: string, range: ByteRange | null = null, signal = this.signal()): Promise<OpenBlob | null> {
    return this.backend.get(key, range, signal);
  }

  head(key: string): Promise<BlobFacts | null> {
    return this.backend.head(key, this.signal());
  }

  delete(key: string): Promise<'deleted' | 'absent'> {
    return this.backend.delete(key, this.signal());
  }

  async open(key: string, range: ByteRange | null = null, signal?: AbortSignal): Promise<OpenBlob> {
    const opened = await this.get(key, range, signal);
    assert.ok(opened !== null, `${JSON.stringify(key)} is there`);
    return opened;
  }

  /** The bytes of a blob, or of a range of it. */
  async read(key: string, range: ByteRange | null = null): Promise<Buffer> {
    return collect((await this.open(key, range)).content);
  }

  /** Fails unless the blob is there, with these bytes, by every way of looking. */
  async mustHold(key: string, bytes: Buffer): Promise<void> {
    const opened = await this.open(key);
    assert.equal(opened.sizeBytes, bytes.length);
    assertSameBytes(await collect(opened.content), bytes);
    const facts = await this.head(key);
    assert.deepEqual([facts?.key, facts?.sizeBytes], [key, bytes.length]);
  }

  /** Fails unless no way of looking shows anything of the blob. */
  async mustBeAbsent(key: string): Promise<void> {
    assert.equal(await this.head(key), null, 'head');
    assert.equal(await this.get(key), null, 'get');
    const { blobs } = await this.backend.list({ prefix: key, limit: 10 }, this.signal());
    assert.deepEqual(
      blobs.filter((blob) => blob.key === key),
      [],
      'list',
    );
  }
}

/** Skips the test, with the adapter's reason, when it is one that the real system cannot pass. */
export function isExcused(t: TestContext, reason: string | undefined): boolean {
  if (reason !== undefined) t.skip(reason);
  return reason !== undefined;
}

export function newRoot(): string {
  return `t${randomUUID().slice(0, 8)}`;
}

export async function collect(content: Content): Promise<Buffer> {
  if (Buffer.isBuffer(content)) return content;
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(content)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** As `deepEqual`, without a difference of megabytes in the message. */
export function assertSameBytes(actual: Buffer, expected: Buffer): void {
  assert.equal(actual.length, expected.length, 'as many bytes');
  assert.ok(actual.equals(expected), 'the same bytes');
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

/** A check for `assert.rejects`: this very error, and nothing that wraps it. */
export function isVery(expected: unknown) {
  return (error: unknown): true => {
    assert.equal(error, expected, 'thrown unchanged');
    return true;
  };
}

export function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
