import { knownBackend } from '../../src/objects/backends/test-known-backend.ts';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { ObjectBackend } from '../../src/objects/backends/backend.ts';
import { defaultBreakerPolicy } from '../../src/objects/backends/breaker.ts';
import { FilesystemBackend } from '../../src/objects/backends/filesystem/filesystem.ts';
import { GuardedBackend, defaultGuardTimeouts } from '../../src/objects/backends/guarded.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../../src/objects/backends/registry.ts';
import { chunksOf } from '../../src/objects/content/content.ts';
import { ObjectEncryption } from '../../src/objects/encryption/encryption.ts';
import type { Copy } from '../../src/objects/object.ts';
import { ContentCache } from '../../src/objects/reading/cache.ts';
import { Hedging } from '../../src/objects/reading/hedge.ts';
import { type ReadCopyOptions, readCopy } from '../../src/objects/reading/read-copy.ts';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { percentile, row } from '../support/report.ts';

const bytes = Buffer.alloc(4_096, 'x');
const blob = Buffer.concat([bytes, Buffer.from('description')]);
const slowShare = 0.02;
const slowMs = 200;
const hedgedReads = 1_500;
const plainReads = 10_000;

/** What a second copy does for the slowest reads, and what memory does for those that come again. */
export async function benchObjectTrouble(): Promise<void> {
  await using directory = await temporaryDirectory();
  const all: KnownBackend[] = [];
  let isSlow = true;
  for (const name of ['first', 'second']) {
    const options = { directory: join(directory.path, name), expectedMarker: null, syncSmallReads: false };
    const disk = new FilesystemBackend(options);
    await disk.put('k', blob, { sizeBytes: blob.length, signal: new AbortController().signal });
    all.push(
      knownOf(
        name,
        sometimesSlow(disk, () => isSlow && Math.random() < slowShare),
      ),
    );
  }
  const registry: ObjectBackendRegistry = {
    all,
    get: (name) => all.find((one) => one.name === name) ?? null,
    refresh: async () => {},
    close: async () => {},
  };
  const rest = {
    contentId: 'c',
    part: 1,
    storageKey: 'k',
    sizeBytes: bytes.length,
    storedBytes: blob.length,
    crc32: crc32(bytes),
    form: null,
  };
  const copies = all.map(({ name }) => ({ ...rest, backend: name }));
  const encryption = new ObjectEncryption(null);
  const options = { registry, encryption, signal: new AbortController().signal, onBadCopy: () => {} };

  const alone = await timesOf(hedgedReads, copies.slice(0, 1), options);
  const hedged = await timesOf(hedgedReads, copies, { ...options, hedging: new Hedging() });
  const [before, after] = [percentile(alone, 0.99), percentile(hedged, 0.99)];
  row(
    `99th percentile of reads, ${slowShare * 100} % of which take ${slowMs} ms`,
    `${before} ms; hedged ${after} ms (${(Number(after) / Number(before)).toFixed(2)}x)`,
  );

  isSlow = false;
  const disk = sumOf(await timesOf(plainReads, copies.slice(0, 1), options)) / plainReads;
  const cache = new ContentCache({ bytesMax: 1_048_576 });
  const memory = sumOf(await timesOf(plainReads, copies.slice(0, 1), { ...options, cache })) / plainReads;
  row(
    '4 KiB of a content from the page cache of a disk / from memory',
    `${(disk * 1_000).toFixed(1)} / ${(memory * 1_000).toFixed(1)} µs (${(disk / memory).toFixed(0)}x)`,
  );
  for (const { backend } of all) await backend.close();
}

/** How long each of so many reads takes, in ms, one after another. */
async function timesOf(count: number, copies: readonly Copy[], options: ReadCopyOptions): Promise<number[]> {
  const times: number[] = [];
  for (let read = 0; read < count; read++) {
    const beganAtMs = performance.now();
    const { content } = await readCopy(copies, null, options);
    for await (const chunk of chunksOf(content)) void chunk;
    times.push(performance.now() - beganAtMs);
  }
  return times;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function sometimesSlow(real: ObjectBackend, isSlow: () => boolean): ObjectBackend {
  return new Proxy(real, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== 'get') return typeof value === 'function' ? value.bind(target) : value;
      return async (...args: Parameters<ObjectBackend['get']>) => {
        if (isSlow()) await delay(slowMs, undefined, { signal: args[2] });
        return target.get(...args);
      };
    },
  });
}

function knownOf(name: string, real: ObjectBackend): KnownBackend {
  const backend = new GuardedBackend(real, {
    name,
    policy: defaultBreakerPolicy,
    timeouts: defaultGuardTimeouts,
    clock: { nowMs: () => performance.now() },
    random: Math.random,
    count: () => {},
    observe: () => {},
  });
  const isOpenFor: KnownBackend['isOpenFor'] = (purpose) => backend.isOpenFor(purpose);
  return {
    ...knownBackend(name, backend, { kind: 'filesystem', reads: backend.reads, isOpenFor }),
    get latencyMs() {
      return backend.reads.latencyMs;
    },
  };
}

if (import.meta.main) await benchObjectTrouble();
