import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intercepted } from './intercepted-store.ts';
import { type GatewayWorld, memoryBackends, openWorld } from './world.ts';
import { migrations } from '../../src/migrations.ts';
import { createIdSource, systemClock } from '../../src/kernel/ids.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { createObjectGateway } from '../../src/objects/create-gateway.ts';
import { ObjectEncryption } from '../../src/objects/encryption/encryption.ts';
import type { ObjectGateway, UploadRef } from '../../src/objects/gateway.ts';

const attributes = { contentType: 'text/plain', headers: {}, metadata: {} };

/** A gateway on a store that a test can step into before each read. */
async function withInterceptedReads(
  body: (gateway: ObjectGateway, onRead: (step: () => unknown) => void) => Promise<void>,
) {
  await using directory = await temporaryDirectory();
  const settings = { databaseUrl: undefined, dataDirectory: directory.path, timeoutMs: 5_000, migrations };
  const world: GatewayWorld = await openWorld(
    { name: 'sqlite', server: null, fresh: async () => settings },
    memoryBackends(1),
  );
  const store = intercepted(world.store);
  const { registry, replicaId } = world;
  const gateway = createObjectGateway({
    store,
    registry,
    encryption: new ObjectEncryption(null),
    newId: createIdSource(),
    clock: systemClock,
    owner: () => replicaId,
    stallMs: 500,
    retryWaitMs: 5_000,
    onBadCopy: () => {},
    onError: () => {},
  });
  try {
    await body(gateway, (step) => {
      store.onRead = async () => void (await step());
    });
  } finally {
    await gateway.writer.settle();
    await world.close();
  }
}

async function uploadOfOnePart({ buckets, uploads }: ObjectGateway): Promise<{ ref: UploadRef; etag: string }> {
  await buckets.create('bucket', 'tester', {});
  const wish = { bucket: 'bucket', key: 'k', owner: 'tester', attributes, tags: {}, lock: null, checksum: null };
  const { uploadId } = await uploads.create(wish);
  const ref = { bucket: 'bucket', key: 'k', uploadId };
  const signal = AbortSignal.timeout(5_000);
  const { etag } = await uploads.putPart(ref, 1, { content: Buffer.from('part'), sizeBytes: 4, signal }, 'tester');
  return { ref, etag };
}

test('a completion that is overtaken by an abortion finds no upload, at whatever moment', async () => {
  for (const moment of [1, 2, 3]) {
    await withInterceptedReads(async (gateway, onRead) => {
      const { ref, etag } = await uploadOfOnePart(gateway);
      let reads = 0;
      onRead(async () => {
        if (++reads !== moment) return;
        onRead(() => {});
        await gateway.uploads.abort(ref, 'tester');
      });
      const completing = gateway.uploads.complete({
        ...ref,
        parts: [{ part: 1, etag }],
        conditions: {},
        actor: 'tester',
      });
      if (moment > 2) await completing;
      else
        await assert.rejects(completing, {
          details: { s3: 'NoSuchUpload', http_status: 404, upload_id: ref.uploadId },
        });
    });
  }
});
