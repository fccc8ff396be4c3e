import type { KeeperPlan } from '../../kernel/keepers/keeper.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import { CostSheet } from '../keepers/cost-sheet.ts';
import { wishesOf } from '../ledger/wanted-copies.ts';
import { fitsLabels } from '../placement.ts';
import { type StorageClass, settingsIn } from '../storage-class.ts';
import type { BackendRow, CopyRow } from '../tables.ts';
import type { Demand } from './pass.ts';

type Labels = StorageClass['labels'];
interface Place {
  readonly name: string;
  readonly labels: Labels;
}

const active = `select * from object_backends where state = 'active' order by position, name`;
const copiesOf = 'select * from copies where content_id = ? order by part, backend';

/**
 * What demands would do and cost, by backend: removals are requests, and transitions carry bytes from where they do not
 * belong to where they do, told as if backends were filled in their order.
 */
export async function lifecyclePlan(
  store: Store,
  demands: readonly Demand[],
  classes: readonly StorageClass[],
  isExact: boolean,
): Promise<KeeperPlan> {
  const sheet = new CostSheet();
  const places = (await store.read((reader) => reader.rows<BackendRow>(active, []))).map(placeOf);
  for (const { candidate, verdict, isForGood } of demands) {
    const { action, ruleId } = verdict;
    const to = action === 'transition' ? ` to ${verdict.to}` : '';
    const subject = `${candidate.bucket}/${candidate.key} (version ${candidate.versionId}${to}, rule ${ruleId})`;
    sheet.step(action, subject, action === 'transition' || isForGood ? candidate.sizeBytes : 0);
    const { contentId } = candidate;
    if (contentId === null) continue;
    if (action === 'transition') {
      const found = await store.read((reader) => transitionOf(reader, contentId, verdict.to, classes));
      if (found !== null) addTransition(sheet, places, found);
    } else if (isForGood) {
      // A deletion for each copy. A delete marker moves no bytes.
      const copies = await store.read((reader) => reader.rows<CopyRow>(copiesOf, [contentId]));
      for (const { backend } of copies) sheet.add(backend, { requests: 1 });
    }
  }
  return sheet.plan((count) => `${count} versions are due${isExact ? '' : ' in what was looked at so far'}.`, isExact);
}

interface FoundTransition {
  readonly copies: readonly CopyRow[];
  readonly wanted: number;
  readonly required: Labels;
}

/** As if nobody else kept the content warm, which is the most that it can cost. */
async function transitionOf(
  reader: Reader,
  contentId: string,
  to: string,
  classes: readonly StorageClass[],
): Promise<FoundTransition | null> {
  const wishes = await wishesOf(reader, contentId);
  if (wishes === null) return null;
  const { requiredLabels: required, copies: wanted } = settingsIn(wishes.bucketSettings, classes, to);
  return { copies: await reader.rows<CopyRow>(copiesOf, [contentId]), wanted, required };
}

function addTransition(
  sheet: CostSheet,
  places: readonly Place[],
  { copies, wanted, required }: FoundTransition,
): void {
  const fitting = new Set(places.filter((place) => fitsLabels(place, required)).map(({ name }) => name));
  for (const standing of Map.groupBy(copies, ({ part }) => part).values()) {
    const leaving = standing.filter(({ backend }) => !fitting.has(backend));
    const holders = standing.map(({ backend }) => backend);
    const free = [...fitting].filter((name) => !holders.includes(name));
    const missing = free.slice(0, Math.max(0, wanted - (standing.length - leaving.length)));
    for (const target of missing) {
      const [source] = standing as [CopyRow];
      sheet.add(source.backend, { requests: 1, egressBytes: source.stored_bytes });
      sheet.add(target, { requests: 1, ingressBytes: source.stored_bytes });
    }
    for (const { backend } of leaving) sheet.add(backend, { requests: 1 });
  }
}

function placeOf({ name, labels }: BackendRow): Place {
  return { name, labels: JSON.parse(labels) as Labels };
}
