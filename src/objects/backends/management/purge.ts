import { setImmediate as others } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { Sealer } from '../../../kernel/secrets/sealer.ts';
import type { Store } from '../../../kernel/store/store.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import { isLastCopy } from '../../ledger/forget-copies.ts';
import type { BackendRow } from '../../tables.ts';
import { type Doing, noteBackend } from './events.ts';
import { lockBackend } from './lock-backend.ts';

/** How long a confirmation holds. */
const confirmMs = 60_000;
const copiesPerPage = 2_000;
const samplesMax = 20;

/** What purging a backend forgets. */
export interface PurgePlan {
  readonly copies: number;
  readonly sizeBytes: number;
  /** Versions of objects of which a part stands nowhere else. */
  readonly lostObjects: number;
  readonly lostBytes: number;
  /** The first of them. */
  readonly lostSample: readonly string[];
}

interface CopyPlace {
  readonly storage_key: string;
  readonly stored_bytes: number;
}

interface LostRow {
  readonly bucket: string;
  readonly object_key: string;
  readonly version_id: string;
  readonly size_bytes: number;
}

const page = `select content_id, part, backend, storage_key, stored_bytes from copies where backend = ? and storage_key > ?
  order by storage_key limit ${copiesPerPage}`;
/** A version counts once, with the first of its lost parts. A cross join begins with the page on every engine. */
const lost = `select o.bucket, o.object_key, o.version_id, o.size_bytes from (${page}) c
  cross join objects o where o.content_id = c.content_id and ${isLastCopy('c')} and not exists
    (select 1 from copies p where p.content_id = c.content_id and p.backend = c.backend and p.part < c.part
      and ${isLastCopy('p')}) order by o.bucket, o.object_key, o.version_id`;

/** Counts what purging a backend would forget, page by page, so that nobody waits for it. */
export async function planPurge(store: Store, name: string): Promise<PurgePlan> {
  const sum = { copies: 0, sizeBytes: 0, lostObjects: 0, lostBytes: 0 };
  const lostSample: string[] = [];
  for (let after = ''; ;) {
    const from = after;
    const { places, rows } = await store.read(async (reader) => ({
      places: await reader.rows<CopyPlace>(page, [name, from]),
      rows: await reader.rows<LostRow>(lost, [name, from]),
    }));
    sum.copies += places.length;
    sum.sizeBytes += places.reduce((bytes, place) => bytes + place.stored_bytes, 0);
    sum.lostObjects += rows.length;
    sum.lostBytes += rows.reduce((bytes, row) => bytes + row.size_bytes, 0);
    const named = rows.map((row) => `${row.bucket}/${row.object_key}`);
    lostSample.push(...named.slice(0, samplesMax - lostSample.length));
    const last = places.at(-1);
    if (last === undefined || places.length < copiesPerPage) return { ...sum, lostSample };
    after = last.storage_key;
    await others();
  }
}

/** What a confirmation stands for. */
interface Confirmation {
  readonly version: number;
  readonly copies: number;
  readonly lostObjects: number;
  readonly untilMs: number;
}

/** The refusal of a purge that is not confirmed: it tells what would go, and how to confirm just that. */
export function unconfirmed(sealer: Sealer, row: BackendRow, plan: PurgePlan, nowMs: number): HoldfastError {
  const { copies, lostObjects, lostBytes, sizeBytes, lostSample } = plan;
  const untilMs = nowMs + confirmMs;
  const confirmation: Confirmation = { version: row.version, copies, lostObjects, untilMs };
  const message =
    `Purging ${row.name} forgets ${copies} copies for good. ${lostObjects} objects have no other copy and would be lost. ` +
    `Confirm it within ${confirmMs / 1_000} s.`;
  return new HoldfastError('conflict', message, {
    reason: 'unconfirmed',
    confirm: sealer.seal(JSON.stringify(confirmation), aboutOf(row.name)),
    expires_at: new Date(untilMs).toISOString(),
    copies,
    size_bytes: sizeBytes,
    lost_objects: lostObjects,
    lost_bytes: lostBytes,
    lost_sample: lostSample,
  });
}

/** Throws `invalid` for what is no confirmation for this backend, `conflict` for one that is too old or for something else. */
export function requireConfirmed(sealer: Sealer, row: BackendRow, plan: PurgePlan, text: string, nowMs: number): void {
  let given: Confirmation;
  try {
    given = JSON.parse(sealer.open(text, aboutOf(row.name))) as Confirmation;
  } catch (error) {
    throw new HoldfastError('invalid', `This confirms no purge of ${row.name}.`, { field: 'confirm' }, error);
  }
  // A clock that was set back must not make it last longer.
  if (nowMs > given.untilMs || given.untilMs - nowMs > confirmMs) {
    throw new HoldfastError('conflict', 'The confirmation has expired; ask once more.', { reason: 'expired' });
  }
  const { version, copies, lostObjects } = given;
  if (version === row.version && copies === plan.copies && lostObjects === plan.lostObjects) return;
  const message = `What stands on ${row.name} has changed since; look at it and confirm that.`;
  throw new HoldfastError('conflict', message, {
    reason: 'changed',
    copies: plan.copies,
    lost_objects: plan.lostObjects,
  });
}

function aboutOf(name: string): string {
  return `purge:${name}`;
}

export interface BeginPurge {
  readonly name: string;
  /** The version that was confirmed. */
  readonly version: number;
  readonly plan: Pick<PurgePlan, 'copies' | 'lostObjects'>;
  readonly doing: Doing;
}

/**
 * Marks a backend as lost for good. It takes nothing new from then on, and a keeper forgets what stands there. Throws
 * `not_found`, and `conflict` when it was changed since it was looked at.
 */
export const beginPurge = transaction(
  import.meta.url,
  'beginPurge',
  async (tx, { name, version, plan, doing }: BeginPurge): Promise<void> => {
    const row = await lockBackend(tx, name);
    if (row === null) throw new HoldfastError('not_found', `There is no backend ${name.slice(0, 100)}.`);
    if (row.version !== version) {
      throw new HoldfastError('conflict', `Backend ${name} was changed by somebody else just now.`, {
        reason: 'changed',
      });
    }
    const statement = `update object_backends set state = 'purging', version = version + 1, updated_at = ? where name = ?`;
    await tx.run(statement, [doing.nowMs, name]);
    await tx.run('delete from backend_drains where backend = ?', [name]);
    await noteBackend(tx, name, 'purging', doing, { copies: plan.copies, lost_objects: plan.lostObjects });
  },
);
