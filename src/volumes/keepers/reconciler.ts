import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Clock } from '../../kernel/ids.ts';
import { type Keeper, type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import { keepBackendData, seenData } from '../backend-data.ts';
import { mapAtOnce } from '../../kernel/concurrency/at-once.ts';
import type { BackendContext, SurveyedImage, VolumeBackend } from '../backends/backend.ts';
import type { BackendRegistry } from '../backends/registry.ts';
import { isTransitional } from '../fsm.ts';
import { toVolume } from '../rows.ts';
import type { VolumeService } from '../service.ts';
import type { VolumeTable } from '../tables.ts';
import type { Volume } from '../volume.ts';
import type { OnDifference } from '../difference.ts';
import { type Doubt, isAtWork, loseVolume, reasons } from './lose-volume.ts';

const pageSize = 200;
const pagesMax = 10_000;
/** Images that are inspected, and volumes that are judged, at a time. */
const atOnce = 12;

export interface ReconcilerOptions {
  readonly store: Store;
  readonly backends: BackendRegistry;
  readonly service: VolumeService;
  readonly clock: Clock;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly dbOnly: 'error' | 'delete' | 'ignore';
  readonly backendOnly: 'ignore' | 'import';
}

interface Tally {
  checked: number;
  lost: number;
  stale: number;
  imported: number;
  readonly onDifference: OnDifference;
}

/** What a comparison is told of, volume by volume and image by image. */
interface Findings {
  volume(volume: Checked, facts: SurveyedImage | null, doubt: Doubt | null): Promise<void>;
  unknownImage(backend: VolumeBackend, image: string, sizeBytes: bigint): Promise<void>;
}

/**
 * Compares volumes with their backends, at start and from then on: a volume without an image, a volume in a transitional
 * state without an operation that will carry it on, and an image without a volume. A backend that cannot be read says
 * nothing about its volumes.
 */
export function volumeReconciler(options: ReconcilerOptions): Keeper {
  return {
    name: 'volume-reconciler',
    summary: 'Compares volumes with the images on their backends, by RECONCILE_DB_ONLY and RECONCILE_BACKEND_ONLY.',
    periodMs: options.periodMs,
    run: (signal) => reconcileVolumes(options, signal),
    plan: (signal) => planVolumes(options, signal),
  };
}

/** One comparison of everything. Throws `unavailable` when a backend could not be read, after the others were. */
export async function reconcileVolumes(
  options: ReconcilerOptions,
  signal: AbortSignal,
  onDifference: OnDifference = () => {},
): Promise<string> {
  const tally: Tally = { checked: 0, lost: 0, stale: 0, imported: 0, onDifference };
  const failures = await checkAll(options, signal, {
    volume: (volume, facts, doubt) => settleVolume(options, volume, facts, doubt, tally),
    unknownImage: (backend, image) => importImage(options, backend, image, tally),
  });
  if (failures.length > 0) throw new HoldfastError('unavailable', failures.join(' '));
  const { checked, lost, stale, imported } = tally;
  return `${checked} volumes compared, ${lost} without an image, ${stale} left behind, ${imported} imported`;
}

/** Compares everything, and gives why backends could not be read. */
async function checkAll(options: ReconcilerOptions, signal: AbortSignal, findings: Findings): Promise<string[]> {
  const failures: string[] = [];
  for (const name of await backendsInUse(options)) {
    try {
      await checkBackend(options, options.backends.get(name), signal, findings);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  return failures;
}

/** What a comparison would do. A name that is taken, or not allowed, keeps an image from being imported all the same. */
async function planVolumes(options: ReconcilerOptions, signal: AbortSignal): Promise<KeeperPlan> {
  const steps: KeeperPlan['steps'][number][] = [];
  let count = 0;
  let sizeBytes = 0;
  const add = (action: string, subject: string, bytes: bigint) => {
    count++;
    sizeBytes += Number(bytes);
    if (steps.length < planStepsMax) steps.push({ action, subject, sizeBytes: Number(bytes) });
  };
  const warnings = await checkAll(options, signal, {
    volume: async ({ id, name, backend, sizeBytes: bytes }, _facts, doubt) => {
      if (doubt === null || (doubt === 'absent' && options.dbOnly === 'ignore')) return;
      if (await options.store.read((reader) => isAtWork(reader, id))) return;
      const lost = options.dbOnly === 'delete' ? 'delete' : 'mark lost';
      add(doubt === 'absent' ? lost : 'reconcile', `${name} (${id}) on ${backend}: ${reasons[doubt]}`, bytes);
    },
    unknownImage: async ({ name }, image, bytes) => add('import', `${image} on ${name}`, bytes),
  });
  const summary = `${count} volumes and images differ from what is on record.`;
  const isExact = !signal.aborted && warnings.length === 0;
  return { summary, steps, count, isExact, sizeBytes, costs: [], warnings };
}

async function backendsInUse({ store, backends }: ReconcilerOptions): Promise<string[]> {
  const rows = await store.read((reader) =>
    reader.rows<{ backend: string }>(`select distinct backend from volumes where state <> 'deleted'`, []),
  );
  return [...new Set([backends.defaultName, ...rows.map((row) => row.backend)])];
}

async function checkBackend(
  options: ReconcilerOptions,
  backend: VolumeBackend,
  signal: AbortSignal,
  findings: Findings,
): Promise<void> {
  const context = () => ({ signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]) });
  await backend.health(context().signal);
  const unread: string[] = [];
  let afterId = '';
  for (let page = 0; page < pagesMax && !signal.aborted; page++) {
    const volumes = await volumesOn(options.store, backend.name, afterId);
    const images = volumes.map(({ image }) => image);
    const looks = await look(backend, images, context);
    await mapAtOnce([...volumes.entries()], atOnce, async ([index, volume]) => {
      const found = looks[index]!;
      if ('error' in found) unread.push(`${volume.id}: ${found.error.message}`);
      else await findings.volume(volume, found.facts, judge(volume, found.facts));
    });
    if (volumes.length < pageSize) break;
    afterId = volumes.at(-1)!.id;
  }
  if (options.backendOnly === 'import') await findUnknown(options, backend, signal, findings);
  if (unread.length > 0) throw unreadable(backend.name, unread);
}

function unreadable(backend: string, unread: readonly string[]): HoldfastError {
  const sentence = `${unread.length} images on ${backend} cannot be read: ${unread.slice(0, 5).join(' ')}`;
  return new HoldfastError('backend', sentence, { backend, images: unread.length });
}

/** What a backend says of one image now; `error` where it has the image and cannot read it. */
type Look = { readonly facts: SurveyedImage | null } | { readonly error: HoldfastError };

/** Looks at images in their order. One that is damaged keeps no other from being judged. Throws when the backend is away. */
async function look(
  backend: VolumeBackend,
  images: readonly string[],
  context: () => BackendContext,
): Promise<readonly Look[]> {
  const surveyed = backend.survey === undefined ? null : await surveyAll(backend, images, context());
  if (surveyed !== null) return surveyed.map((facts) => ({ facts }));
  return mapAtOnce(images, atOnce, async (image) => {
    try {
      return { facts: await backend.inspect(context(), image) };
    } catch (error) {
      if (!isOfOneImage(error)) throw error;
      return { error };
    }
  });
}

/** `null` when one of them cannot be read, so that each must be asked for. */
async function surveyAll(
  backend: VolumeBackend,
  images: readonly string[],
  context: BackendContext,
): Promise<readonly (SurveyedImage | null)[] | null> {
  try {
    const found = await backend.survey!(context, images);
    // What is missing from an answer must not be taken for missing from the backend.
    if (found.length === images.length) return found;
    throw new HoldfastError('internal', `Backend ${backend.name} told of ${found.length} of ${images.length} images.`);
  } catch (error) {
    if (!isOfOneImage(error)) throw error;
    return null;
  }
}

function isOfOneImage(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && error.kind === 'backend';
}

/** A volume with the attachment that is not over, if it has one. */
type Checked = Volume & { readonly attachmentId: string | null };

async function volumesOn(store: Store, backend: string, afterId: string): Promise<Checked[]> {
  const statement = `select v.*, (select a.id from attachments a where a.volume_id = v.id and a.state <> 'detached'
      order by a.generation desc limit 1) as attachment_id
    from volumes v where v.backend = ? and v.id > ? and v.state <> 'deleted' and v.state <> 'error' order by v.id limit ?`;
  type Row = VolumeTable & { readonly attachment_id: string | null };
  const rows = await store.read((reader) => reader.rows<Row>(statement, [backend, afterId, pageSize]));
  return rows.map((row) => ({ ...toVolume(row), attachmentId: row.attachment_id }));
}

async function settleVolume(
  { store, clock, service, dbOnly }: ReconcilerOptions,
  volume: Checked,
  facts: SurveyedImage | null,
  doubt: Doubt | null,
  tally: Tally,
): Promise<void> {
  tally.checked++;
  const { backend_data: data } = seenData(facts, clock.nowMs());
  if (data !== undefined) await store.write(keepBackendData, { volumeId: volume.id, version: volume.version, data });
  if (doubt === null) return;
  const { id: volumeId } = volume;
  const tell = (action: string) =>
    tally.onDifference({ between: 'backend', kind: doubt, volume_id: volumeId, message: reasons[doubt], action });
  if (doubt === 'absent' && dbOnly === 'ignore') return tell('none: RECONCILE_DB_ONLY is ignore');
  const policy = doubt === 'absent' && dbOnly === 'delete' ? 'delete' : 'error';
  const changed = await store.write(loseVolume, {
    volumeId: volume.id,
    version: volume.version,
    doubt,
    policy,
    nowMs: clock.nowMs(),
  });
  if (!changed) return;
  if (doubt === 'absent') {
    tally.lost++;
    return tell(policy === 'delete' ? 'the volume was deleted' : 'the volume is in error');
  }
  tally.stale++;
  // Its image is there, so what it says becomes the state without anybody having to ask.
  await service.reconcile({ actor: 'keeper:volume-reconciler', idempotency: null }, volume.id);
  tell('the volume is reconciled with its image');
}

/** What is wrong with a volume, given its image; the store then checks that no operation is at work on it. */
export function judge(volume: Checked, facts: SurveyedImage | null): Doubt | null {
  if (isTransitional(volume.state)) return facts === null ? 'absent' : 'left_behind';
  if (facts === null || facts.place === 'trash') return 'absent';
  // A pending volume has nothing to be attached; what is attached must be so in both books.
  const known = volume.state === 'attached' ? volume.attachmentId : null;
  return (facts.attachment?.attachmentId ?? null) === known ? null : 'attachment_differs';
}

/** Looks for images that no volume has. */
async function findUnknown(
  { store, timeoutMs }: ReconcilerOptions,
  backend: VolumeBackend,
  signal: AbortSignal,
  findings: Findings,
): Promise<void> {
  let after: string | undefined;
  for (let page = 0; page < pagesMax && !signal.aborted; page++) {
    const context = { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) };
    const images = await backend.list(context, { ...(after === undefined ? {} : { after }), limit: pageSize });
    for (const { image, sizeBytes } of images) {
      const known = await store.read((reader) =>
        reader.rows('select id from volumes where backend = ? and image = ? and purged_at is null', [
          backend.name,
          image,
        ]),
      );
      if (known.length === 0) await findings.unknownImage(backend, image, sizeBytes);
    }
    if (images.length < pageSize) return;
    after = images.at(-1)!.image;
  }
}

async function importImage(
  { service }: ReconcilerOptions,
  backend: VolumeBackend,
  image: string,
  tally: Tally,
): Promise<void> {
  const wish = { actor: 'keeper:volume-reconciler', idempotency: null };
  try {
    await service.import(wish, { image, name: null, backend: backend.name, metadata: {} });
    tally.imported++;
  } catch (error) {
    // A name that is taken or not allowed is for people to decide; the others go on.
    if (!(error instanceof HoldfastError) || (error.kind !== 'conflict' && error.kind !== 'invalid')) throw error;
  }
}
