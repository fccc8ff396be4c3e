import { type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import { runningRewrite } from '../ledger/rewrites.ts';
import { wishesOf } from '../ledger/wanted-copies.ts';
import type { ObjectVersion } from '../object.ts';
import { allCopiesOf } from '../queries/queries.ts';
import { passDemands } from '../rewriting/demands.ts';
import type { RewriteAction } from '../rewriting/plan.ts';
import type { RewriteOptions } from '../rewriting/rewrite-content.ts';
import { CostSheet } from './cost-sheet.ts';
import { type PlannedRoom, readPlannedRoom } from './planned-room.ts';

/**
 * What is left of the pass that was asked for. Told are the bytes as they stand: how many they are in their new form is not
 * known before they are written.
 */
export async function planRewriter(options: RewriteOptions, signal: AbortSignal): Promise<KeeperPlan> {
  const { store, registry } = options;
  const sheet = new CostSheet();
  const row = await store.read(runningRewrite);
  if (row === null) return sheet.plan(() => 'Nothing was asked for.', true);
  const action = row.action as RewriteAction;
  const room = await readPlannedRoom(store, registry);
  let isExact = false;
  for await (const page of passDemands(options, { action, bucket: row.bucket, after: row.reached })) {
    for (const version of page.demands) {
      signal.throwIfAborted();
      await addContent(options, action, version, room, sheet);
    }
    isExact = page.isLast;
    if (sheet.count >= planStepsMax) break;
  }
  return sheet.plan((count, sizeBytes) => `${count} contents would be written anew, ${sizeBytes} bytes.`, isExact);
}

async function addContent(
  { store, writer }: RewriteOptions,
  action: RewriteAction,
  version: ObjectVersion,
  room: PlannedRoom,
  sheet: CostSheet,
): Promise<void> {
  const contentId = version.contentId!;
  const { wishes, copies } = await store.read(async (reader) => ({
    wishes: await wishesOf(reader, contentId),
    copies: await allCopiesOf(reader, contentId),
  }));
  if (wishes === null) return;
  sheet.step(action, `${version.bucket}/${version.key}`, version.sizeBytes);
  for (const standing of Map.groupBy(copies, ({ part }) => part).values()) {
    const [source] = standing as [(typeof standing)[0]];
    // What is to be compressed is read once more before, to see whether it shrinks.
    const reads = action === 'compress' ? 2 : 1;
    sheet.add(source.backend, { requests: reads, egressBytes: reads * source.storedBytes });
    const ranked = await writer.capacity.rank(wishes.settings, source.storedBytes, [], room.planned);
    for (let copy = 0; copy < wishes.settings.copies; copy++) {
      const target = room.take(ranked, source);
      if (target === null) break;
      ranked.splice(ranked.indexOf(target), 1);
      sheet.add(target, { requests: 1, ingressBytes: source.storedBytes });
    }
    for (const { backend } of standing) sheet.add(backend, { requests: 1 });
  }
}
