import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { until } from '../support/wait.ts';
import { type Acts, identityOf } from './objects-acts.ts';
import type { Bodies } from './objects-bodies.ts';
import type { History, KeyHistory, Place } from './objects-history.ts';
import { linearizationFault } from './objects-linearizable.ts';
import { chaosBuckets } from './objects-workload.ts';

const settleMs = 60_000;
const pollMs = 150;
const listedMax = 7;
const removersMax = 8;

/** Has the keepers do all that is left to do, and gives the findings of a deep check. */
export async function settle(client: Client): Promise<readonly string[]> {
  const deadlineAtMs = performance.now() + settleMs;
  for (;;) {
    for (const name of ['object-intents', 'object-replicator', 'object-cleanup']) {
      await client.call(contract.runKeeper, { params: { name } });
    }
    await delay(pollMs);
    const { owed_copies: owed, waiting_deletions: waiting } = await client.call(contract.checkGateway, { body: {} });
    if (owed === 0 && waiting === 0) break;
    assert.ok(performance.now() < deadlineAtMs, `${owed} copies are owed and ${waiting} deletions wait for ever`);
  }
  await backUp(client);
  const report = await client.call(contract.checkGateway, { body: { deep: true } });
  return [
    ...report.findings.map(({ kind, detail }) => `${kind}: ${detail}`),
    ...(report.dead_letters === 0 ? [] : [`${report.dead_letters} dead letters`]),
    ...(report.owed_copies === 0 ? [] : [`${report.owed_copies} copies are owed after all`]),
  ];
}

/** Has the ledger backed up once more, which clears away what backups left that were cut off. */
async function backUp(client: Client): Promise<void> {
  const name = 'object-ledger-backup';
  const look = async () => {
    const { items } = await client.call(contract.listKeepers, {});
    return items.find((keeper) => keeper.name === name)!;
  };
  const before = await look();
  await client.call(contract.runKeeper, { params: { name } });
  // The one that may be under way began too early.
  const wanted = before.runs + (before.running ? 2 : 1);
  const isDone = ({ runs, running }: Awaited<ReturnType<typeof look>>) =>
    runs > wanted || (runs === wanted && !running);
  await until('the ledger is backed up', async () => isDone(await look()), settleMs);
  assert.equal((await look()).last_error, null);
}

export interface Aftermath {
  readonly acts: Acts;
  readonly bodies: Bodies;
  readonly history: History;
}

/** A version or a delete marker as a listing tells it. */
export interface Listed {
  readonly key: string;
  readonly versionId: string;
  readonly isMarker: boolean;
  readonly etag: string;
  readonly sizeBytes: number;
}

/**
 * Reads everything back, after all is healed: each key, its tags, and each version. What was read joins the history, which
 * must then be one that can have happened, key by key; and listings must tell what reads tell.
 */
export async function checkContents({ acts, bodies, history }: Aftermath): Promise<string[]> {
  const faults: string[] = [];

  const standing = new Map<string, { readonly etag: string }>();
  for (const { place } of history.keys) {
    const seen = await acts.read(place);
    const hasTags = await acts.readTags(place);
    if (seen === undefined || !hasTags) faults.push(`${place.bucket}/${place.key} cannot be read`);
    if (seen != null) standing.set(`${place.bucket}/${place.key}`, seen);
  }
  for (const { name, isVersioned } of chaosBuckets) {
    const listed = await list(acts, name, 'list-type=2');
    const told = listed.map(({ key, etag, sizeBytes }) => `${key} ${etag} ${sizeBytes}`);
    const read = [...standing]
      .filter(([id]) => id.startsWith(`${name}/`))
      .map(([id, { etag }]) => `${id.slice(name.length + 1)} ${etag} ${bodies.sizeOf(etag)}`);
    if (told.toSorted().join('\n') !== read.toSorted().join('\n')) {
      faults.push(`the listing of ${name} tells [${told.join(', ')}], and reads tell [${read.join(', ')}]`);
    }
    if (isVersioned) faults.push(...(await readVersions({ acts, bodies, history }, name)));
  }
  history.closeCopies((etag) => bodies.inPartsOf(etag));
  for (const key of history.keys) faults.push(...historyFaults(key));
  return faults;
}

/** Reads every version that is listed; each key's own go into its history. */
async function readVersions({ acts, bodies, history }: Aftermath, bucket: string): Promise<string[]> {
  const faults: string[] = [];
  const listed = await list(acts, bucket, 'versions');
  const byKey = Map.groupBy(listed, ({ key }) => key);
  for (const { place } of history.keys.filter((one) => one.place.bucket === bucket)) {
    const callAtMs = performance.now();
    const ids: (string | null)[] = [];
    for (const { versionId, isMarker } of byKey.get(place.key) ?? []) {
      const id = isMarker ? null : await readVersion({ acts, bodies, history }, place, versionId);
      if (id instanceof Error) faults.push(id.message);
      else ids.push(id);
    }
    history.note(place, { kind: 'readVersions' }, { kind: 'sawVersions', ids }, callAtMs);
  }
  return faults;
}

async function readVersion({ acts, bodies, history }: Aftermath, place: Place, versionId: string) {
  const query = `versionId=${encodeURIComponent(versionId)}`;
  const outcome = await acts.send('readVersion', { method: 'GET', ...place, query });
  const where = `version ${versionId} of ${place.bucket}/${place.key}`;
  if (outcome.kind !== 'answer' || outcome.status !== 200) return new Error(`${where} cannot be read`);
  const { id, etag } = identityOf(outcome);
  const known = history.at(place).versions.get(versionId);
  if (known !== undefined && known !== id)
    return new Error(`${where} was written by ${known} and is now that of ${id}`);
  const fault = bodies.fault(etag, outcome.body);
  return fault === null ? id : new Error(`${where}: ${fault}`);
}

function historyFaults({ place, operations }: KeyHistory): string[] {
  const isVersioned = chaosBuckets.find(({ name }) => name === place.bucket)!.isVersioned;
  const fault = linearizationFault(operations, isVersioned);
  return fault === null ? [] : [`${place.bucket}/${place.key}: ${fault}`];
}

/** All of a bucket, in small pages; newest first within a key. */
export async function list(acts: Acts, bucket: string, what: 'list-type=2' | 'versions'): Promise<Listed[]> {
  const all: Listed[] = [];
  for (let after = ''; ;) {
    const query = `${what}&encoding-type=url&max-keys=${listedMax}${after}`;
    const outcome = await acts.send('list', { method: 'GET', bucket, query });
    assert.ok(outcome.kind === 'answer' && outcome.status === 200, `${bucket} cannot be listed`);
    const text = outcome.body.toString();
    for (const [, kind, entry] of text.matchAll(/<(Contents|Version|DeleteMarker)>(.*?)<\/\1>/gs)) {
      all.push({
        key: decodeURIComponent(textOf(entry!, 'Key').replaceAll('+', ' ')),
        versionId: textOf(entry!, 'VersionId'),
        isMarker: kind === 'DeleteMarker',
        etag: textOf(entry!, 'ETag').replaceAll(/&quot;|"/g, ''),
        sizeBytes: Number(textOf(entry!, 'Size')),
      });
    }
    if (!text.includes('<IsTruncated>true')) return all;
    after =
      what === 'versions'
        ? `&key-marker=${textOf(text, 'NextKeyMarker')}&version-id-marker=${textOf(text, 'NextVersionIdMarker')}`
        : `&continuation-token=${encodeURIComponent(textOf(text, 'NextContinuationToken'))}`;
  }
}

function textOf(xml: string, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? '';
}

/** Removes every version, every object and every upload. */
export async function removeEverything(acts: Acts): Promise<void> {
  for (const { name: bucket, isVersioned } of chaosBuckets) {
    const left = await list(acts, bucket, isVersioned ? 'versions' : 'list-type=2');
    const removing = Array.from({ length: removersMax }, async () => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) {
        const { key, versionId } = one;
        const query = isVersioned ? { query: `versionId=${encodeURIComponent(versionId)}` } : {};
        const outcome = await acts.send('delete', { method: 'DELETE', bucket, key, ...query });
        assert.ok(outcome.kind === 'answer' && outcome.status === 204, `${bucket}/${key} cannot be removed`);
      }
    });
    await Promise.all(removing);
    const outcome = await acts.send('listUploads', { method: 'GET', bucket, query: 'uploads&encoding-type=url' });
    assert.ok(outcome.kind === 'answer' && outcome.status === 200);
    for (const [, entry] of outcome.body.toString().matchAll(/<Upload>(.*?)<\/Upload>/gs)) {
      const key = decodeURIComponent(textOf(entry!, 'Key').replaceAll('+', ' '));
      const query = `uploadId=${textOf(entry!, 'UploadId')}`;
      const aborted = await acts.send('abortUpload', { method: 'DELETE', bucket, key, query });
      assert.ok(aborted.kind === 'answer' && aborted.status === 204, `an upload of ${key} cannot be given up`);
    }
  }
}
