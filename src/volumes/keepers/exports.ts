import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { Attempt } from '../../kernel/operations/operation.ts';
import type { Store } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { wantedExports } from '../export-queries.ts';
import type { Difference, OnDifference } from '../difference.ts';
import type { ExportsReport, RemoveExportWork, ReportedExport } from '../exports/work.ts';
import type { Hosts, KnownHost } from '../hosts.ts';
import { type ExportVerdict, judgeExports } from '../judge-exports.ts';
import type { VolumeService } from '../service.ts';

export const exportKeeperName = 'export-keeper';
const actor = `keeper:${exportKeeperName}`;

export interface ExportKeeperOptions {
  readonly store: Store;
  readonly hosts: Hosts;
  readonly service: VolumeService;
  readonly clock: Clock;
  readonly periodMs: number;
  readonly timeoutMs: number;
}

type Tally = Record<ExportVerdict['action'], number>;

/** What an operation was at work on is looked at again when that may have ended: after a crash it is at work on much. */
const lookAgainAfterMs = [250, 500, 1_000, 2_000, 4_000];

/**
 * Compares what hosts export with what is on record: an export that is gone is made again, one that nobody knows is removed. A
 * host that is silent says nothing of its exports.
 */
export function exportKeeper(options: ExportKeeperOptions): Keeper {
  return {
    name: exportKeeperName,
    summary: 'Makes exports again that their hosts have lost, and removes exports that belong to no attachment.',
    periodMs: options.periodMs,
    whyNoPlan: 'It asks hosts by commands that are on record, so that looking would change something itself.',
    run: (signal) => keepExports(options, signal),
  };
}

/** One comparison with every host that can be asked. Throws `unavailable` when one could not, after the others were. */
export async function keepExports(
  options: ExportKeeperOptions,
  signal: AbortSignal,
  onDifference: OnDifference = () => {},
): Promise<string> {
  const tally: Tally = { confirm: 0, repair: 0, retire: 0, remove: 0 };
  const failures: string[] = [];
  const hosts = (await options.hosts.list()).filter(canExport);
  for (const host of hosts) {
    if (signal.aborted) break;
    try {
      for (const waitMs of [...lookAgainAfterMs, null]) {
        if ((await keepHost(options, host, signal, tally, onDifference)) || waitMs === null) break;
        await delay(waitMs, undefined, { signal });
      }
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (failures.length > 0) throw new HoldfastError('unavailable', failures.join(' '));
  const { confirm, repair, retire, remove } = tally;
  return `${hosts.length} hosts asked: ${repair} exports made again, ${retire + remove} removed, ${confirm} confirmed`;
}

function canExport({ state, capabilities }: KnownHost): boolean {
  const transports = capabilities['transports'];
  return state === 'alive' && typeof transports === 'object' && transports !== null;
}

/** `false` when operations stood in the way of something. */
async function keepHost(
  options: ExportKeeperOptions,
  host: KnownHost,
  signal: AbortSignal,
  tally: Tally,
  onDifference: OnDifference,
): Promise<boolean> {
  const { store, hosts } = options;
  const command = { host: host.id, resource: `exports-of:${host.id}`, kind: 'export.list', input: {} };
  const report = (await hosts.run(attemptFor(options, signal, host.id), command)) as ExportsReport;
  // Read after the host was asked: whatever it exports was on record before it was made.
  const wanted = await store.read((reader) => wantedExports(reader, host.name));
  let isAllSettled = true;
  for (const verdict of judgeExports(wanted, report)) {
    if (await settle(options, host, verdict, signal)) {
      tally[verdict.action]++;
      onDifference(differenceOf(host, verdict));
    } else isAllSettled = false;
  }
  return isAllSettled;
}

const words: Readonly<Record<ExportVerdict['action'], readonly [string, string]>> = {
  confirm: ['An export was in doubt, and stands as it should.', 'it is confirmed'],
  repair: ['An export is not what is on record.', 'it is made again'],
  retire: ['The attachment of an export is over.', 'the export is removed'],
  remove: ['A host exports what nobody has on record.', 'the export was removed'],
};

function differenceOf({ name }: KnownHost, verdict: ExportVerdict): Difference {
  const [sentence, action] = words[verdict.action];
  const volumeId = 'live' in verdict ? verdict.live.volumeId : 'volumeId' in verdict ? verdict.volumeId : null;
  const exportId = 'live' in verdict ? verdict.live.exportId : verdict.exportId;
  const reason = 'reason' in verdict ? ` ${verdict.reason}` : '';
  const message = `${sentence}${reason} (export ${exportId}, host ${name})`;
  return { between: 'host', kind: `export_${verdict.action}`, volume_id: volumeId, message, action };
}

/** `false` when it is settled otherwise meanwhile, or an operation stands in the way. */
async function settle(
  options: ExportKeeperOptions,
  host: KnownHost,
  verdict: ExportVerdict,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, service } = options;
  const wish = { actor, idempotency: null };
  try {
    if (verdict.action === 'confirm') return await store.write(confirmExport, { exportId: verdict.exportId });
    if (verdict.action === 'remove') return await removeStranger(options, host, verdict.live, signal);
    if (verdict.action === 'repair') {
      return !(await service.repairExport(wish, verdict.exportId, verdict.reason)).isReplay;
    }
    if (verdict.action === 'retire') await service.unexport(wish, verdict.volumeId, verdict.exportId, true);
    return true;
  } catch (error) {
    // What is at work on the volume settles it, or the next look does.
    if (error instanceof HoldfastError && (error.kind === 'conflict' || error.kind === 'not_found')) return false;
    throw error;
  }
}

async function removeStranger(
  options: ExportKeeperOptions,
  host: KnownHost,
  { exportId, transport }: ReportedExport,
  signal: AbortSignal,
): Promise<boolean> {
  const input: RemoveExportWork = { transport, exportId, force: true };
  const command = { host: host.id, resource: `export:${exportId}`, kind: 'export.remove', input };
  await options.hosts.run(attemptFor(options, signal, exportId), command);
  return true;
}

/** Each look is a new question, so its token is one that was never used. */
function attemptFor({ clock, timeoutMs }: ExportKeeperOptions, signal: AbortSignal, about: string): Attempt {
  const nowMs = clock.nowMs();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  return { attempt: 1, fence: nowMs, token: `${exportKeeperName}/${about}/${nowMs}`, signal: deadline };
}

/** Writes that an export which was in doubt stands as it should. */
export const confirmExport = transaction(
  import.meta.url,
  'confirmExport',
  async (tx, { exportId }: { readonly exportId: string }): Promise<boolean> => {
    const statement = `update exports set state = 'active', reason = null where id = ? and state in ('lost', 'failed')`;
    return (await tx.run(statement, [exportId])) === 1;
  },
);
