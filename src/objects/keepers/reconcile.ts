import type { Clock, IdSource } from '../../kernel/ids.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import { KeeperMark } from '../../kernel/keepers/mark.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { noteUnknownBlobs } from '../ledger/note-unknown-blobs.ts';
import { foreignBackup } from '../rebuilding/foreign-backup.ts';
import { type ReconcileStop, planReconcile } from './plan-reconcile.ts';
import { type ReconcileTally, emptyReconcileTally, reconcileBackend } from './reconcile-backend.ts';

/**
 * What becomes of blobs that the ledger does not know. Those that a gateway wrote are deleted under `import` and
 * `delete-after`, and never become objects; those of others become objects under `import`, and are never deleted.
 */
export const unknownPolicies = ['ignore', 'report', 'import', 'delete-after'] as const;
export type UnknownPolicy = (typeof unknownPolicies)[number];

export interface ReconcileOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly newId: IdSource;
  readonly clock: Clock;
  readonly periodMs: number;
  readonly unknown: UnknownPolicy;
  /** How old an unknown blob must be before anything becomes of it. */
  readonly graceMs: number;
  onError(error: unknown, about: string): void;
}

const name = 'object-reconciler';

/** Where a round stopped, or when the last one ended. */
type Mark = Place | { readonly finishedAtMs: number };

interface Place {
  readonly backend: string;
  /** The last storage key that was compared. */
  readonly after: string;
}

/** Compares what backends hold with the ledger, both ways. */
export function reconcileKeeper(options: ReconcileOptions): Keeper {
  const { store, clock, periodMs, unknown } = options;
  const mark = new KeeperMark(store, name);
  let isFirst = true;
  return {
    name,
    summary:
      'Compares what backends hold with the ledger: replaces copies that are missing, and deals with unknown blobs.',
    periodMs,
    run: async (signal, progress) => {
      const marked = parseMark(await mark.load());
      const from = placeOf(marked);
      // Every keeper runs when a process starts; listing all there is again and again is dear where requests are billed.
      const isRecent =
        marked !== null && 'finishedAtMs' in marked && clock.nowMs() - marked.finishedAtMs < periodMs / 2;
      const isStart = isFirst;
      isFirst = false;
      if (isStart && isRecent) return 'compared not long before this process started';
      const told: string[] = [];
      const failed: string[] = [];
      let looked = 0;
      for await (const { known, after, deferred } of stopsOf(options, from, signal)) {
        const tally = emptyReconcileTally();
        const onPlace = async (key: string) => {
          progress?.({ done: looked + tally.blobs, total: null, detail: known.name });
          await mark.save(JSON.stringify({ backend: known.name, after: key } satisfies Mark));
        };
        if (deferred !== null) {
          told.push(`${known.name}: deferred, since it ${deferred}`);
          continue;
        }
        // Those before it need not be compared again when this run is stopped.
        await mark.save(JSON.stringify({ backend: known.name, after } satisfies Mark));
        try {
          await reconcileBackend(options, known, after, tally, { signal, onPlace });
        } catch (error) {
          // Stopped, which is no failure: the next run goes on where the mark is.
          if (signal.aborted) return [...told, `${known.name}: stopped`].join('; ');
          failed.push(`${known.name}: ${error instanceof Error ? error.message : String(error)}`);
        }
        looked += tally.blobs;
        if (unknown !== 'ignore')
          await store.write(noteUnknownBlobs, { ...unknownOf(known, tally), nowMs: clock.nowMs() });
        told.push(`${known.name}: ${sentence(tally)}`);
      }
      await mark.save(JSON.stringify({ finishedAtMs: clock.nowMs() } satisfies Mark));
      if (failed.length > 0) throw new HoldfastError('backend', [...failed, ...told].join('; ').slice(0, 2_000));
      return told.join('; ');
    },
    plan: async (signal) => {
      const from = placeOf(parseMark(await mark.load()));
      return planReconcile(options, stopsOf(options, from, signal), signal);
    },
  };
}

function parseMark(text: string | null): Mark | null {
  return JSON.parse(text ?? 'null') as Mark | null;
}

function placeOf(mark: Mark | null): Place | null {
  return mark !== null && 'backend' in mark ? mark : null;
}

/** Backends as a round comes to them. */
async function* stopsOf(
  options: ReconcileOptions,
  from: Place | null,
  signal: AbortSignal,
): AsyncGenerator<ReconcileStop> {
  for (const known of backendsFrom(options.registry, from)) {
    const after = from?.backend === known.name ? from.after : '';
    yield { known, after, deferred: whyNot(known) ?? (await whoseElse(options, known, signal)) };
  }
}

/** Backends in the order of their names, from the one on where the last round stopped. */
function backendsFrom({ all }: ObjectBackendRegistry, from: Place | null): readonly KnownBackend[] {
  const sorted = all.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  return sorted.filter((known) => from === null || known.name >= from.backend);
}

function whyNot(known: KnownBackend): string | null {
  if (!known.isOpenFor('read')) return 'does not work';
  return known.isOver('requests') ? 'has reached its monthly requests' : null;
}

/** What is unknown here may be the objects of a ledger that was lost, as long as its backup stands beside them. */
async function whoseElse({ store, unknown }: ReconcileOptions, { backend }: KnownBackend, signal: AbortSignal) {
  if (unknown !== 'import' && unknown !== 'delete-after') return null;
  try {
    return (await foreignBackup(store, backend, signal)) === null ? null : 'holds the backup of another ledger';
  } catch (error) {
    return `cannot be looked at: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function unknownOf({ name: backend }: KnownBackend, { ownUnknown, foreign, unknownBytes, examples }: ReconcileTally) {
  return { backend, ownUnknown, foreign, unknownBytes, examples };
}

function sentence(tally: ReconcileTally): string {
  const { blobs, missing, replaced, kept, young, unreadable, ownUnknown, foreign, imported, queued } = tally;
  return [
    `${blobs} blobs compared`,
    `${missing} copies missing or of another length (${replaced} replaced, ${kept} without a good one)`,
    `${ownUnknown + foreign} unknown (${ownUnknown} of ours, ${foreign} of others; ${imported} imported, ${queued} queued for deletion)`,
    `${young} too young to say`,
    ...(unreadable === 0 ? [] : [`${unreadable} could not be looked at`]),
  ].join(', ');
}
