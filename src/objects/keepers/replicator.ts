import type { Keeper } from '../../kernel/keepers/keeper.ts';
import { defaultBucketSettings } from '../bucket.ts';
import type { Copy } from '../object.ts';
import { claimShortfalls, dropCopy, queueDraining, settleShortfall } from '../ledger/shortfalls.ts';
import { findBucket } from '../queries/queries.ts';
import { toCopy } from '../rows.ts';
import type { CopyRow, ShortfallRow } from '../tables.ts';
import { backoffMs, inParallel } from './batches.ts';
import { owedFinder } from './find-owed.ts';
import { type ReplicateOptions, type ReplicateTarget, replicate } from './replicate.ts';

const batchSize = 100;
const batchesMax = 100;
const leaseMs = 15 * 60_000;
const lastWaitMs = 3_600_000;

export interface ReplicatorOptions extends ReplicateOptions {
  /** Before a copy that failed is tried again; it doubles each time. */
  readonly retryWaitMs: number;
}

/** Makes the copies that contents want, and moves those that stand on draining backends. */
export function replicatorKeeper(options: ReplicatorOptions, periodMs: number): Keeper {
  const { store, clock, owner, retryWaitMs } = options;
  const findOwed = owedFinder(store, clock);
  return {
    name: 'object-replicator',
    summary: 'Makes missing copies of objects, and moves copies off backends that are drained.',
    periodMs,
    run: async (signal) => {
      let settled = 0;
      let failed = 0;
      await findOwed(signal);
      for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
        await store.write(queueDraining, { limit: batchSize, nowMs: clock.nowMs() });
        const claim = { owner: owner(), limit: batchSize, nowMs: clock.nowMs(), leaseMs };
        const rows = await store.write(claimShortfalls, claim);
        await inParallel(rows, signal, async (row) => {
          const { content_id: contentId, part } = row;
          const retry = await fill(options, row, signal).then(
            () => null,
            (error: unknown) => ({
              error: (error instanceof Error ? error.message : String(error)).slice(0, 500),
              dueAtMs: clock.nowMs() + backoffMs(row.attempts, retryWaitMs, lastWaitMs),
            }),
          );
          await store.write(settleShortfall, { contentId, part, owner: claim.owner, retry, nowMs: clock.nowMs() });
          if (retry === null) settled++;
          else failed++;
        });
        if (rows.length < batchSize) break;
      }
      return `${settled} contents settled, ${failed} left for later`;
    },
  };
}

/** Brings one part of a content to the number of copies that its bucket wants, on backends that are not drained. */
async function fill(options: ReplicateOptions, row: ShortfallRow, signal: AbortSignal): Promise<void> {
  const { store, registry, clock } = options;
  const { content_id: contentId, part } = row;
  const target = await targetOf(options, row);
  if (target === null) return;
  const isActive = (copy: Copy) => registry.get(copy.backend)?.state === 'active';
  const wanted = target.settings.copies;
  for (let made = 0; ; made++) {
    const copies = await storedCopies(options, contentId, part);
    if (copies.length === 0) return;
    const active = copies.filter(isActive);
    if (active.length >= wanted || made > wanted) {
      for (const copy of copies.filter((one) => !isActive(one))) {
        await store.write(dropCopy, {
          contentId,
          part,
          backend: copy.backend,
          remaining: wanted,
          nowMs: clock.nowMs(),
        });
      }
      return;
    }
    await replicate(options, copies, target, signal);
  }
}

const referring = `select bucket from objects where content_id = ? union select bucket from uploads
  where upload_id = ? and state = 'open'`;

/** The bucket that wants most copies, of those that refer to a content; `null` when none does any more. */
async function targetOf(
  { store }: ReplicateOptions,
  { content_id: contentId, attempts }: ShortfallRow,
): Promise<ReplicateTarget | null> {
  return store.read(async (reader) => {
    const rows = await reader.rows<{ bucket: string }>(referring, [contentId, contentId]);
    let target: ReplicateTarget | null = null;
    for (const { bucket } of rows) {
      const settings = (await findBucket(reader, bucket))?.settings ?? defaultBucketSettings;
      if (target === null || settings.copies > target.settings.copies) target = { bucket, settings, attempts };
    }
    return target;
  });
}

async function storedCopies({ store }: ReplicateOptions, contentId: string, part: number): Promise<Copy[]> {
  const statement = 'select * from copies where content_id = ? and part = ? order by backend';
  const rows = await store.read((reader) => reader.rows<CopyRow>(statement, [contentId, part]));
  return rows.map(toCopy);
}
