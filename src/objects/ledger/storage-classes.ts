import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { StorageClass } from '../storage-class.ts';
import type { StorageClassRow } from '../tables.ts';

const all = 'select * from storage_classes order by position';
const enter = `insert into storage_classes (name, position, labels) values (?, ?, ?)
  on conflict (name) do update set position = excluded.position, labels = excluded.labels`;
/** One look for each bucket in the index, so that a start costs what there are of buckets. */
const inUse = `select b.name from buckets b where
  exists (select 1 from objects o where o.bucket = b.name and o.storage_class = ? and o.is_latest = 1 and o.is_marker = 0)
  or exists (select 1 from objects o where o.bucket = b.name and o.storage_class = ? and o.noncurrent_at is not null)
  or exists (select 1 from uploads u where u.bucket = b.name and u.storage_class = ? and u.state = 'open') limit 1`;

/** The classes that are configured, warmest first. */
export async function readStorageClasses(reader: Pick<Reader, 'rows'>): Promise<StorageClass[]> {
  const rows = await reader.rows<StorageClassRow>(all, []);
  return rows.map(({ name, labels }) => ({ name, labels: JSON.parse(labels) as StorageClass['labels'] }));
}

/**
 * Takes over the classes that this process was configured with, for whoever asks the store where copies belong: of several
 * gateways the last one that started counts. Throws `invalid` when a class is missing that objects are in.
 */
export const enterStorageClasses = transaction(
  import.meta.url,
  'enterStorageClasses',
  async (tx, { classes }: { readonly classes: readonly StorageClass[] }): Promise<void> => {
    await tx.lock('storage-classes');
    for (const { name } of await readStorageClasses(tx)) {
      if (classes.some((one) => one.name === name)) continue;
      const [used] = await tx.rows<{ name: string }>(inUse, [name, name, name]);
      if (used !== undefined) {
        const message = `Objects in bucket ${used.name} are in the storage class ${name}, which is not configured any more.`;
        throw new HoldfastError('invalid', message, { storage_class: name, bucket: used.name });
      }
      await tx.run('delete from storage_classes where name = ?', [name]);
    }
    for (const [position, { name, labels }] of classes.entries()) {
      await tx.run(enter, [name, position, JSON.stringify(labels)]);
    }
  },
);
