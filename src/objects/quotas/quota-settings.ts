import Type from 'typebox';
import Value from 'typebox/value';
import { type RestoredSetting, type SettingsKind, leftOut } from '../../kernel/backups/settings.ts';
import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { noteQuota, quotasMax } from './change-quota.ts';
import { type QuotaLimits, type QuotaRow, toBook } from './quota.ts';

const limit = Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]);
const keptQuotaSchema = Type.Object({
  bookId: Type.String({ maxLength: 100 }),
  createdAtMs: Type.Integer({ minimum: 0 }),
  limits: Type.Object({
    bytes: limit,
    objects: limit,
    month: Type.Object({ requests: limit, ingress: limit, egress: limit }),
  }),
});

interface KeptQuota {
  readonly bookId: string;
  readonly createdAtMs: number;
  readonly limits: QuotaLimits;
}

const standing = 'select * from quota_books where subject = ?';
const prefix = 'quota:';

/** Limits of buckets and users, for backups of the ledger. What is used is counted anew where they are restored. */
export const quotaSettings: SettingsKind = {
  kind: 'quota',
  // The limits of a bucket go with it.
  idOf: (resource) => {
    if (resource.startsWith('bucket:')) return resource;
    return resource.startsWith(prefix) ? resource.slice(prefix.length) : null;
  },
  idsAfter: async (reader, after, count) => {
    const statement = 'select subject from quota_books where subject > ? order by subject limit ?';
    return (await reader.rows<{ subject: string }>(statement, [after, count])).map(({ subject }) => subject);
  },
  read: async (reader, id) => {
    const [row] = await reader.rows<QuotaRow>(standing, [id]);
    if (row === undefined) return null;
    const { bookId, createdAtMs, limits } = toBook(row);
    return { id, value: { bookId, createdAtMs, limits } satisfies KeptQuota, secrets: {} };
  },
  restore: async (store, { id, value }, { isDryRun, nowMs }) => {
    if (!/^(bucket|user):./.test(id) || !Value.Check(keptQuotaSchema, value)) {
      return leftOut(`What the backup tells of the quota of ${id} is no quota.`);
    }
    if (isDryRun) return store.read((reader) => planQuota(reader, id));
    return store.write(restoreQuota, { subject: id, quota: value, nowMs });
  },
};

async function planQuota(reader: Reader, subject: string): Promise<RestoredSetting> {
  if ((await reader.rows(standing, [subject])).length > 0) return { counts: { quotas: 0 }, notes: [] };
  const [count] = await reader.rows<{ n: number | string }>('select count(*) as n from quota_books', []);
  if (Number(count!.n) >= quotasMax)
    return leftOut(`The quota of ${subject} is left out: there are ${quotasMax} already.`);
  return { counts: { quotas: 1 }, notes: [] };
}

/** Enters limits as they were, unless there are others. The keeper counts what stands. */
export const restoreQuota = transaction(
  import.meta.url,
  'restoreQuota',
  async (
    tx,
    { subject, quota, nowMs }: { readonly subject: string; readonly quota: KeptQuota; readonly nowMs: number },
  ): Promise<RestoredSetting> => {
    await tx.lock(`quota:${subject}`);
    const plan = await planQuota(tx, subject);
    if (plan.counts['quotas'] !== 1) return plan;
    const { bytes, objects, month } = quota.limits;
    await tx.run(
      `insert into quota_books (subject, book_id, bytes_max, objects_max, month_requests_max, month_ingress_bytes_max,
         month_egress_bytes_max, used_bytes, used_objects, version, created_at) values (?, ?, ?, ?, ?, ?, ?, 0, 0, 1, ?)`,
      [subject, quota.bookId, bytes, objects, month.requests, month.ingress, month.egress, quota.createdAtMs],
    );
    const cause = { actor: 'holdfast', nowMs };
    await noteQuota(tx, subject, 'quota.set', { ...quota.limits, restored: true }, cause);
    return plan;
  },
);
