import assert from 'node:assert/strict';
import type { Store } from '../../src/kernel/store/store.ts';
import type { Conditions } from '../../src/objects/conditions.ts';
import { type Content, chunksOf } from '../../src/objects/content/content.ts';
import type { ObjectGateway, PutRequest } from '../../src/objects/gateway.ts';
import type { ContentPart, ObjectVersion, Upload } from '../../src/objects/object.ts';
import type { Lab } from './lab.ts';
import { putRequest } from './world.ts';

/** What tests do with a gateway, in short. */

export function put(
  { gateway }: { readonly gateway: ObjectGateway },
  bucket: string,
  key: string,
  content: Content | string,
  more: Partial<PutRequest> = {},
): Promise<ObjectVersion> {
  return gateway.objects.put(putRequest(bucket, key, content, more));
}

export async function read(
  { gateway }: { readonly gateway: ObjectGateway },
  bucket: string,
  key: string,
  versionId?: string,
): Promise<Buffer> {
  const signal = AbortSignal.timeout(30_000);
  const open = await gateway.objects.open({ bucket, key, versionId, range: () => null, signal });
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(open.content)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function remove(
  { gateway }: { readonly gateway: ObjectGateway },
  bucket: string,
  key: string,
  versionId?: string,
) {
  const options = { actor: 'tester', conditions: {}, bypassGovernance: false };
  return gateway.objects.remove({ bucket, key, versionId }, options);
}

export function copy(
  { gateway }: { readonly gateway: ObjectGateway },
  from: readonly [string, string],
  to: readonly [string, string],
  { conditions = {}, storageClass }: { readonly conditions?: Conditions; readonly storageClass?: string } = {},
): Promise<ObjectVersion> {
  return gateway.objects.copy({
    source: { bucket: from[0], key: from[1] },
    sourceConditions: {},
    bucket: to[0],
    key: to[1],
    attributes: null,
    storageClass,
    tags: null,
    lock: null,
    conditions,
    actor: 'tester',
    signal: AbortSignal.timeout(30_000),
  });
}

export function beginUpload(
  { gateway }: { readonly gateway: ObjectGateway },
  bucket: string,
  key: string,
  more: { readonly storageClass?: string } = {},
): Promise<Upload> {
  const attributes = { contentType: 'text/plain', headers: {}, metadata: {} };
  return gateway.uploads.create({
    bucket,
    key,
    owner: 'tester',
    attributes,
    tags: {},
    lock: null,
    checksum: null,
    ...more,
  });
}

export function putPart(
  { gateway }: { readonly gateway: ObjectGateway },
  { bucket, key, uploadId }: Upload,
  part: number,
  content: Content,
  sizeBytes = Buffer.isBuffer(content) ? content.length : -1,
): Promise<ContentPart> {
  const signal = AbortSignal.timeout(30_000);
  return gateway.uploads.putPart({ bucket, key, uploadId }, part, { content, sizeBytes, signal }, 'tester');
}

export function complete(
  { gateway }: { readonly gateway: ObjectGateway },
  { bucket, key, uploadId }: Upload,
  parts: readonly Pick<ContentPart, 'part' | 'etag'>[],
  { conditions = {} }: { readonly conditions?: Conditions } = {},
): Promise<ObjectVersion> {
  const chosen = parts.map(({ part, etag }) => ({ part, etag }));
  return gateway.uploads.complete({ bucket, key, uploadId, parts: chosen, conditions, actor: 'tester' });
}

/** Chunks of `chunkBytes`, `sizeBytes` in all, each filled with its number; made as they are read. */
export async function* chunked(sizeBytes: number, chunkBytes = 65_536): AsyncGenerator<Buffer> {
  for (let offset = 0, index = 0; offset < sizeBytes; offset += chunkBytes, index++) {
    yield Buffer.alloc(Math.min(chunkBytes, sizeBytes - offset), index);
  }
}

/** Keepers have done all they can, nothing is wrong, nothing waits, and the backends hold just the ledger's copies. */
export async function assertClean(lab: Lab): Promise<void> {
  await lab.settle();
  const report = await lab.check();
  const { findings, owedCopies, waitingDeletions, deadLetters, copies, blobs } = report;
  assert.deepEqual(findings, []);
  assert.deepEqual(
    { owedCopies, waitingDeletions, deadLetters },
    { owedCopies: 0, waitingDeletions: 0, deadLetters: 0 },
  );
  assert.equal(blobs, copies);
  assert.equal(await count(lab.store, 'intents'), 0);
}

/** After everything was deleted: no blob is left, and the books are at zero. */
export async function assertEmpty(lab: Lab): Promise<void> {
  await assertClean(lab);
  for (const { name, backend } of lab.backends) {
    assert.equal(backend.blobs.size, 0, `${name} is empty`);
    assert.equal(await usedBytes(lab.store, name), 0, `the books of ${name} are at zero`);
  }
  for (const table of ['objects', 'copies', 'object_parts', 'shortfalls', 'cleanup']) {
    assert.equal(await count(lab.store, table), 0, table);
  }
}

export async function usedBytes(store: Store, backend: string): Promise<number> {
  const statement = 'select coalesce(sum(used_bytes), 0) as n from backend_stripes where backend = ?';
  const [row] = await store.read((reader) => reader.rows<{ n: number | string }>(statement, [backend]));
  return Number(row!.n);
}

export async function count(store: Store, table: string): Promise<number> {
  const [row] = await store.read((reader) =>
    reader.rows<{ n: number | string }>(`select count(*) as n from ${table}`, []),
  );
  return Number(row!.n);
}
