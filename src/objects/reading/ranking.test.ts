import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { ReadHealth } from '../backends/latency.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { ObjectEncryption } from '../encryption/encryption.ts';
import type { Copy } from '../object.ts';
import { Hedging } from './hedge.ts';
import { readCopy } from './read-copy.ts';

const signal = new AbortController().signal;
const bytes = Buffer.from('bytes');
const encryption = new ObjectEncryption(null);

/** Backends that answer at once and say that they took as long as the test wishes, on a clock of the test's own. */
class Sim {
  readonly latencyMs: number[];
  readonly isFailing: boolean[];
  readonly #hedging = new Hedging();
  readonly #registry: ObjectBackendRegistry;
  readonly #copies: readonly Copy[];
  #nowMs = 0;
  #read: number[] = [];

  constructor(latencyMs: number[]) {
    this.latencyMs = latencyMs;
    this.isFailing = latencyMs.map(() => false);
    const all = latencyMs.map((_, index) => this.#backend(index));
    const get = (name: string) => all.find((one) => one.name === name) ?? null;
    this.#registry = { all, get, refresh: async () => {}, close: async () => {} };
    const rest = {
      contentId: 'c',
      part: 1,
      storageKey: 'k',
      sizeBytes: bytes.length,
      storedBytes: bytes.length + 1,
      crc32: crc32(bytes),
      form: null,
    };
    this.#copies = all.map(({ name }) => ({ ...rest, backend: name }));
  }

  #backend(index: number): KnownBackend {
    const reads = new ReadHealth({ nowMs: () => this.#nowMs });
    const get = async () => {
      this.#read.push(index);
      if (this.isFailing[index] === true) {
        reads.failed();
        throw new Error('it fails');
      }
      reads.answered(this.latencyMs[index]! * (0.8 + 0.4 * ((this.#nowMs / 7) % 1)));
      return { sizeBytes: bytes.length + 1, content: bytes, cancel: () => {} };
    };
    const known = { name: `b${index}`, reads, backend: { get }, isOpenFor: () => true, isOver: () => false };
    return {
      ...known,
      get latencyMs() {
        return reads.latencyMs;
      },
    } as unknown as KnownBackend;
  }

  /** Reads every 20 ms for a while; gives which backend was asked, in order. */
  async run(seconds: number): Promise<readonly number[]> {
    this.#read = [];
    for (let read = 0; read < seconds * 50; read++) {
      this.#nowMs += 20;
      await readCopy(this.#copies, null, {
        registry: this.#registry,
        encryption,
        signal,
        hedging: this.#hedging,
        onBadCopy() {},
      });
    }
    return this.#read;
  }
}

const share = (read: readonly number[], of: number) => read.filter((index) => index === of).length / read.length;
const changes = (read: readonly number[]) => read.filter((index, at) => at > 0 && read[at - 1] !== index).length;

describe('which copy is read', () => {
  test('is one of a quick backend; one that turns slow loses reads, and gets them back', async () => {
    const sim = new Sim([5, 60]);
    await sim.run(2);
    assert.ok(share(await sim.run(20), 0) > 0.97);
    sim.latencyMs[0] = 400;
    await sim.run(2);
    const slow = await sim.run(60);
    assert.ok(share(slow, 1) > 0.97, `${share(slow, 1)} of reads go to the other`);
    // Only looks, each of which goes there and comes back.
    assert.ok(changes(slow) <= 2 * (60 / 5 + 1), `${changes(slow)} changes in a minute`);
    assert.ok(share(slow, 0) > 0, 'it is looked at');
    sim.latencyMs[0] = 5;
    await sim.run(90);
    assert.ok(share(await sim.run(20), 0) > 0.97, 'it is the best again');
  });

  test('does not change while one that fails stays as bad as it is', async () => {
    const sim = new Sim([1, 10]);
    await sim.run(2);
    sim.isFailing[0] = true;
    await sim.run(5);
    const failing = await sim.run(60);
    assert.ok(share(failing, 1) > 0.97, `${share(failing, 1)}`);
    sim.isFailing[0] = false;
    await sim.run(240);
    assert.ok(share(await sim.run(20), 0) > 0.9);
  });
});
