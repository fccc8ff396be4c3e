import assert from 'node:assert/strict';
import { copyFile, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { contract } from '../../../src/contract.ts';
import { temporaryDirectory } from '../../support/temp.ts';
import { until } from '../../support/wait.ts';
import { bytesOf } from './case.ts';
import { assertNothingLeft } from './clearing.ts';
import { startGateway } from './rigs.ts';
import { Stops } from './stops.ts';
import { textsOf } from './wire.ts';
import { type World, openWorld } from './world.ts';

const timeoutMs = 60_000;
const keepers = ['object-intents', 'object-replicator', 'object-cleanup'];

/** Two directories, each with all objects, and what happens to one of them behind the gateway's back. */
void describe('S3 on two directories of which one changes by itself', () => {
  const stops = new Stops();
  const paths: string[] = [];
  let world: World;
  let bucket: string;

  before(
    async () => {
      const gateway = await startGateway(stops, {});
      for (const name of ['first', 'second']) {
        const directory = await temporaryDirectory();
        stops.add(() => directory[Symbol.asyncDispose]());
        const path = join(directory.path, 'objects');
        paths.push(path);
        const backend = { name, kind: 'filesystem', config: { path }, position: paths.length };
        await gateway.api.call(contract.addObjectBackend, { body: backend });
      }
      const remains = async () => (await Promise.all(paths.map(blobsBelow))).flat();
      world = await openWorld({ gateways: [gateway], copies: 2, remains, stop: () => stops.run() });
      bucket = await world.bucket();
      await gateway.api.call(contract.changeBucket, { params: { bucket }, body: { durability: 'one' } });
    },
    { timeout: timeoutMs },
  );
  after(
    async () => {
      (world as World | undefined)?.close();
      await stops.run();
    },
    { timeout: timeoutMs },
  );

  const check = () => world.rig.gateways[0]!.api.call(contract.checkGateway, { body: { deep: true } });
  const put = (key: string, body: Buffer | string) => world.send({ method: 'PUT', target: `/${bucket}/${key}`, body });
  const get = (key: string) => world.send({ method: 'GET', target: `/${bucket}/${key}` });
  const health = () => world.rig.gateways[0]!.api.call(contract.health);
  const keys = async () => textsOf((await world.send({ method: 'GET', target: `/${bucket}` })).text, 'Key');

  async function runKeepers(): Promise<void> {
    for (const name of keepers) await world.rig.gateways[0]!.api.call(contract.runKeeper, { params: { name } });
  }

  /** Waits until every object has its two copies, nothing else stands anywhere, and nothing is left to do. */
  async function settled(objects: number): Promise<void> {
    let last: unknown;
    const isSettled = async () => {
      await runKeepers();
      const report = await check();
      last = report;
      const { findings, owed_copies: owed, waiting_deletions: waiting, copies, blobs } = report;
      assert.equal(report.objects, objects);
      return findings.length === 0 && owed === 0 && waiting === 0 && copies === 2 * objects && blobs === copies;
    };
    await until('all is as it should be', isSettled, timeoutMs / 2).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(last)}`, { cause: error });
    });
  }

  it(
    'failure 9: what is deleted while a backend is away stays deleted when it is back',
    { timeout: timeoutMs },
    async () => {
      for (const key of ['deleted', 'overwritten', 'kept']) assert.equal((await put(key, `${key} before`)).status, 200);
      await settled(3);
      const away = `${paths[1]!}.away`;
      await rename(paths[1]!, away);
      assert.equal((await world.send({ method: 'DELETE', target: `/${bucket}/deleted` })).status, 204);
      assert.equal((await put('overwritten', 'overwritten after')).status, 200);
      assert.equal((await put('made', 'made meanwhile')).status, 200);
      await until('its breaker has opened, and health says so', async () => {
        assert.equal((await put('overwritten', 'overwritten after')).status, 200);
        const { status, parts } = await health();
        return status === 'degraded' && /second does not work/.test(parts['object_backends']!.detail);
      });
      await runKeepers();
      const readable = async () => {
        const answers = await Promise.all(['deleted', 'overwritten', 'kept', 'made'].map(get));
        assert.deepEqual(
          answers.map(({ status, text }) => (status === 200 ? text : status)),
          [404, 'overwritten after', 'kept before', 'made meanwhile'],
        );
        assert.deepEqual(await keys(), ['kept', 'made', 'overwritten']);
      };
      await readable();
      const report = await check();
      assert.deepEqual([report.objects, [...new Set(report.findings.map(({ kind }) => kind))]], [3, ['unreachable']]);
      assert.ok(report.waiting_deletions >= 2, 'what stands on the one that is away is still to be deleted');

      await rename(away, paths[1]!);
      await readable();
      await settled(3);
      await readable();
      await until('it is healthy again', async () => (await health()).status === 'healthy');
      const { items } = await world.rig.gateways[0]!.api.call(contract.listEvents, {
        query: { resource: 'object-backend:second', limit: 1_000 },
      });
      const told = items.map(({ type }) => type).filter((type) => type.startsWith('backend.circuit.'));
      assert.deepEqual([...new Set(told)].sort(), ['backend.circuit.closed', 'backend.circuit.opened']);
    },
  );

  it(
    'failure 11: bytes that nobody wrote are told, and never served, taken over or deleted',
    { timeout: timeoutMs },
    async () => {
      const before = await keys();
      const [own] = await blobsBelow(paths[0]!);
      // The same place but for the last letter of its name, so that it is a storage key that could be one.
      const foreign = own!.replace(/.=$/, (end) => (end === '0=' ? '1=' : '0='));
      await copyFile(own!, foreign);
      await writeFile(join(dirname(foreign), 'no-name-of-ours'), 'noise');
      await runKeepers();
      const { findings, objects } = await check();
      assert.deepEqual([objects, findings.map(({ kind }) => kind)], [before.length, ['orphan']]);
      assert.deepEqual(await keys(), before);
      assert.deepEqual(await readFile(foreign), await readFile(own!), 'it is for people to delete it');
      await rm(foreign);
      await rm(join(dirname(foreign), 'no-name-of-ours'));
      await settled(before.length);
    },
  );

  it(
    'failure 11: other bytes in the place of an object’s are never served as the object',
    { timeout: timeoutMs },
    async () => {
      const body = bytesOf(200_000, 4);
      const earlier = new Set(await blobsBelow(paths[0]!));
      assert.equal((await put('spoiled', body)).status, 200);
      await settled((await keys()).length);
      const [blob] = (await blobsBelow(paths[0]!)).filter((path) => !earlier.has(path));
      const bytes = await readFile(blob!);
      await writeFile(blob!, Buffer.concat([bytes.subarray(0, 100_000), bytesOf(bytes.length - 100_000, 5)]));
      assert.deepEqual(
        (await check()).findings.map(({ kind }) => kind),
        ['damaged_copy'],
      );
      const away = `${paths[1]!}.away`;
      await rename(paths[1]!, away);
      // Where some bytes had passed before the damage was seen, the answer breaks off instead.
      const outcome = await get('spoiled').then(
        ({ status }) => status,
        () => 'broken',
      );
      assert.ok(outcome === 503 || outcome === 'broken', String(outcome));
      await rename(away, paths[1]!);
      const isReadable = async () => (await get('spoiled').catch(() => null))?.body.equals(body);
      await until('the other copy is read', isReadable, timeoutMs / 2);
      await settled((await keys()).length);
      assert.ok((await get('spoiled')).body.equals(body));
    },
  );

  it('leaves nothing behind', { timeout: timeoutMs }, () => assertNothingLeft(world));
});

async function blobsBelow(path: string): Promise<string[]> {
  const entries = await readdir(join(path, 'blobs'), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
