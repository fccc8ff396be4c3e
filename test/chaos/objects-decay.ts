import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import type { Reader } from '../../src/kernel/store/store.ts';
import type { ChaosBackends } from './objects-backends.ts';

/** A copy of a content that has another one elsewhere. */
export interface SpareCopy {
  readonly storageKey: string;
  readonly storedBytes: number;
}

/** What a check must find after copies were spoiled. */
interface Spoiled {
  readonly kind: 'missing_copy' | 'wrong_size' | 'damaged_copy' | 'orphan';
  readonly storageKey: string;
}

/** The backend whose copies are spoiled: the first one that is reached through a proxy. */
export const decaying = 'dav-1';
const planted = 'one-all/planted';

const spare = `select c.storage_key, c.stored_bytes from copies c where c.backend = ? and c.size_bytes > 0
  and exists (select 1 from copies o where o.content_id = c.content_id and o.part = c.part and o.backend <> c.backend)
  order by c.storage_key limit 3`;

export async function spareCopies(reader: Reader): Promise<SpareCopy[]> {
  const rows = await reader.rows<{ storage_key: string; stored_bytes: number }>(spare, [decaying]);
  return rows.map((row) => ({ storageKey: row.storage_key, storedBytes: row.stored_bytes }));
}

/** Does at rest what no exchange tells of: one copy is gone, one shorter, one other, and there is one that nobody owns. */
export async function spoil(backends: ChaosBackends, [gone, cut, turned]: readonly SpareCopy[]): Promise<Spoiled[]> {
  const spoiled: Spoiled[] = [];
  if (gone !== undefined) {
    const path = backends.pathOf(decaying, gone.storageKey);
    const orphan = backends.pathOf(decaying, planted);
    await mkdir(dirname(orphan), { recursive: true });
    await rename(path, orphan);
    spoiled.push({ kind: 'missing_copy', storageKey: gone.storageKey }, { kind: 'orphan', storageKey: planted });
  }
  if (cut !== undefined) {
    await truncate(backends.pathOf(decaying, cut.storageKey), cut.storedBytes - 1);
    spoiled.push({ kind: 'wrong_size', storageKey: cut.storageKey });
  }
  if (turned !== undefined) {
    const path = backends.pathOf(decaying, turned.storageKey);
    const bytes = await readFile(path);
    bytes[0]! ^= 1;
    await writeFile(path, bytes);
    spoiled.push({ kind: 'damaged_copy', storageKey: turned.storageKey });
  }
  return spoiled;
}

/** The check finds just what was spoiled, and a backend that is drained leaves nothing to it that is not whole. */
export async function checkDecay(client: Client, backends: ChaosBackends, spoiled: readonly Spoiled[]): Promise<void> {
  assert.ok(spoiled.length > 0, 'there were copies to spoil');
  const { findings } = await client.call(contract.checkGateway, { body: { deep: true } });
  const wanted = spoiled.map(({ kind, storageKey }) => `${kind} ${storageKey}`);
  const found = findings.map(({ kind, detail }) => `${kind} ${/\S+\/\S+/.exec(detail)?.[0]}`);
  assert.deepEqual(found.toSorted(), wanted.toSorted());
  await rm(backends.pathOf(decaying, planted), { force: true });
  // What has three copies needs a third place then.
  await backends.makeRoom(client);
  await client.call(contract.drainObjectBackend, { params: { backend: decaying } });
}
