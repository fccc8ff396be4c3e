import { transaction } from '../../kernel/store/transaction.ts';
import { type UsageFlush, addUsage } from '../backends/usage-flush.ts';
import { type PlaceUsageRow, type UsageLedger, toPlaceUsage } from '../backends/usage.ts';

const add = `insert into subject_usage (subject, month, requests, ingress_bytes, egress_bytes) values (?, ?, ?, ?, ?)
  on conflict (subject, month) do update set
    requests = subject_usage.requests + excluded.requests,
    ingress_bytes = subject_usage.ingress_bytes + excluded.ingress_bytes,
    egress_bytes = subject_usage.egress_bytes + excluded.egress_bytes`;

/** Adds what one process counted of its clients' traffic, by bucket and user; see `flushUsage`. */
export const flushSubjectUsage = transaction(
  import.meta.url,
  'flushSubjectUsage',
  async (tx, flush: UsageFlush): Promise<void> => addUsage(tx, flush, add),
);

// Only those with limits are asked for their totals; there may be very many others.
const ofLimited = `select u.subject as place, u.requests, u.ingress_bytes, u.egress_bytes from subject_usage u
  join quota_books q on q.subject = u.subject where u.month = ?`;

/** Where the traffic of buckets and users is kept. */
export const subjectLedger: UsageLedger = {
  flush: flushSubjectUsage,
  load: async (reader, month) => (await reader.rows<PlaceUsageRow>(ofLimited, [month])).map(toPlaceUsage),
};

const old = 'delete from subject_usage where month < ?';

/** Forgets the traffic of months before one, such as `2024-11`. Gives how many rows. */
export const forgetUsage = transaction(
  import.meta.url,
  'forgetUsage',
  async (tx, { before }: { readonly before: string }): Promise<number> => tx.run(old, [before]),
  () => true,
);
