import type { CopyRow } from '../../src/objects/tables.ts';
import type { DamagedBlob, KeptWorld } from './kept-world.ts';
import type { SeededRandom } from './objects-random.ts';

const manners = ['flip', 'cut', 'lose', 'swap'] as const;

/**
 * Spoils a blob behind the gateways' back, while nobody works: who has just found that a copy is right may let go of another
 * one. Gives what it did, `null` when there was nothing to spoil.
 */
export async function damage(world: KeptWorld, random: SeededRandom): Promise<string | null> {
  const copies = await readCopies(world);
  // What a migration wrote and verified since it began is not read again before its source goes.
  const leaving = await migratingFrom(world);
  const staying = copies.filter(({ backend }) => backend !== leaving);
  const isOnly = random.isChance(0.2);
  // Where a bad copy stands beside it, the good one is left alone: that one must be healed.
  const candidates = copies.filter(
    (copy) =>
      isGood(world, copy) && (isOnly ? siblingsOf(copies, copy).length === 0 : hasGoodSibling(world, staying, copy)),
  );
  if (candidates.length === 0) return null;
  const copy = random.pick(candidates);
  const blobs = blobsOn(world, copy.backend);
  const whole = blobs.get(copy.storage_key)!;
  const manner = random.pick(manners);
  if (manner === 'lose') blobs.delete(copy.storage_key);
  else blobs.set(copy.storage_key, { ...whole, bytes: spoiled(manner, whole.bytes, blobs, random) });
  const { backend, storage_key: storageKey } = copy;
  world.damaged.set(placeOf(copy), { backend, storageKey, whole, isOnly });
  return `${manner} ${storageKey} on ${backend}${isOnly ? ', the only copy' : ''}`;
}

function spoiled(
  manner: 'flip' | 'cut' | 'swap',
  bytes: Buffer,
  blobs: ReadonlyMap<string, { readonly bytes: Buffer }>,
  random: SeededRandom,
): Buffer {
  if (manner === 'cut') return bytes.subarray(0, random.below(bytes.length));
  const other = random.pick([...blobs.values()]).bytes;
  if (manner === 'swap' && !other.equals(bytes)) return other;
  const changed = Buffer.from(bytes);
  changed[random.below(changed.length)]! ^= 1 + random.below(255);
  return changed;
}

/** Whether the bytes of a copy are what was written. */
function isGood(world: KeptWorld, copy: Pick<CopyRow, 'backend' | 'storage_key'>): boolean {
  const blob = blobsOn(world, copy.backend).get(copy.storage_key);
  const known = world.damaged.get(placeOf(copy));
  return blob !== undefined && (known === undefined || blob.bytes.equals(known.whole.bytes));
}

function hasGoodSibling(world: KeptWorld, copies: readonly CopyRow[], copy: CopyRow): boolean {
  return siblingsOf(copies, copy).some((other) => isGood(world, other));
}

function siblingsOf(copies: readonly CopyRow[], copy: CopyRow): CopyRow[] {
  return copies.filter(
    (other) => other.content_id === copy.content_id && other.part === copy.part && other.backend !== copy.backend,
  );
}

/** Those without a good copy beside them that the ledger still counts on. */
export async function onlyDamaged(world: KeptWorld): Promise<readonly DamagedBlob[]> {
  const copies = await readCopies(world);
  return copies
    .filter((copy) => !isGood(world, copy) && !hasGoodSibling(world, copies, copy))
    .map((copy) => world.damaged.get(placeOf(copy)))
    .filter((blob) => blob !== undefined);
}

/** Puts a blob back as it was. */
export function mend(world: KeptWorld, { backend, storageKey, whole }: DamagedBlob): void {
  blobsOn(world, backend).set(storageKey, whole);
}

async function readCopies({ gateways }: KeptWorld): Promise<CopyRow[]> {
  const statement = 'select * from copies order by content_id, part, backend';
  return gateways[0]!.lab.store.read((reader) => reader.rows<CopyRow>(statement, []));
}

async function migratingFrom({ gateways }: KeptWorld): Promise<string | null> {
  const statement = 'select source from storage_migrations where is_open = 1';
  const [row] = await gateways[0]!.lab.store.read((reader) => reader.rows<{ source: string }>(statement, []));
  return row?.source ?? null;
}

function blobsOn({ backends }: KeptWorld, name: string) {
  return backends.find((one) => one.name === name)!.backend.blobs;
}

function placeOf({ backend, storage_key: storageKey }: Pick<CopyRow, 'backend' | 'storage_key'>): string {
  return `${backend}/${storageKey}`;
}
