import type { VolumeExport } from './export.ts';
import type { ExportsReport, ReportedExport } from './exports/work.ts';
import type { AttachmentState } from './volume.ts';

/** An export on record, with the state of the attachment that it belongs to. */
export interface WantedExport extends VolumeExport {
  readonly attachmentState: AttachmentState;
}

/** What is to be done about one export of a host. */
export type ExportVerdict =
  /** It stands as it should, and the record says otherwise. */
  | { readonly action: 'confirm'; readonly exportId: string }
  /** It is gone, or serves something else. */
  | { readonly action: 'repair'; readonly exportId: string; readonly reason: string }
  /** Its attachment is over. */
  | { readonly action: 'retire'; readonly exportId: string; readonly volumeId: string }
  /** Nobody has it on record: an export never outlives its volume. */
  | { readonly action: 'remove'; readonly live: ReportedExport };

/**
 * Compares what a host exports with what is on record for it. What is being made or removed is left to the operation that does
 * so, and what could not be asked is not judged.
 */
export function judgeExports(wanted: readonly WantedExport[], report: ExportsReport): ExportVerdict[] {
  const known = new Set(wanted.map(({ id }) => id));
  const lives = Object.values(report).flatMap((list) => list ?? []);
  const strangers = lives.filter(({ exportId }) => !known.has(exportId));
  return [
    // First, since a volume is exported once: what stands in the way of a repair goes before it.
    ...strangers.map((live) => ({ action: 'remove', live }) as const),
    ...wanted.flatMap((one) => judgeOne(one, report)),
  ];
}

function judgeOne(wanted: WantedExport, report: ExportsReport): ExportVerdict[] {
  const { id: exportId, volumeId, state, attachmentState, transport, generation } = wanted;
  if (state === 'pending' || state === 'removing' || state === 'removed') return [];
  if (attachmentState === 'detached' || attachmentState === 'failed') return [{ action: 'retire', exportId, volumeId }];
  const list = report[transport];
  if (attachmentState !== 'attached' || list === undefined || list === null) return [];
  const live = list.find((each) => each.exportId === exportId);
  if (live === undefined) return [{ action: 'repair', exportId, reason: 'Its host does not export it any more.' }];
  if (live.generation !== generation || live.volumeId !== volumeId) {
    return [{ action: 'repair', exportId, reason: 'Its host exports something else under its id.' }];
  }
  if (live.isStale) return [{ action: 'repair', exportId, reason: 'Its host serves a file that was replaced.' }];
  return state === 'active' ? [] : [{ action: 'confirm', exportId }];
}
