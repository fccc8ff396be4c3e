import { HoldfastError } from '../../kernel/errors/errors.ts';
import { isSameImage, isSameSource } from './export-rules.ts';
import type { ExportSource, ExportSpec } from './target.ts';

/** What is asked of an export that is live. */
export interface TakenExport {
  readonly exportId: string;
  readonly volumeId: string;
  readonly generation: number;
  readonly source: ExportSource;
  readonly readOnly: boolean;
  readonly allowedHosts: readonly string[];
  readonly isClosing: boolean;
}

/**
 * What is live already of an export that is to be added; `null` when it is to be made.
 *
 * @throws HoldfastError `conflict` when the id, the volume or the image is taken by anything else.
 */
export function decideAdd<T extends TakenExport>(live: readonly T[], spec: ExportSpec): T | null {
  let same: T | null = null;
  for (const each of live) {
    if (each.exportId === spec.exportId) {
      checkSame(each, spec);
      same = each;
    } else if (each.volumeId === spec.volumeId || isSameImage(each.source, spec.source)) {
      throw stale(each, spec);
    }
  }
  return same;
}

function checkSame(each: TakenExport, spec: ExportSpec): void {
  if (each.isClosing) {
    const sentence = `The export ${spec.exportId} is being removed; add it when it is gone.`;
    throw new HoldfastError('conflict', sentence, { reason: 'closing' });
  }
  const differs = (['volumeId', 'generation', 'readOnly'] as const).filter((field) => each[field] !== spec[field]);
  const names: string[] = [...differs];
  if (!isSameSource(each.source, spec.source)) names.push('source');
  if (!isSameSet(each.allowedHosts, spec.allowedHosts)) names.push('allowedHosts');
  if (names.length > 0) throw otherExport(spec.exportId, names);
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}

/** The id is in use for something else. */
export function otherExport(exportId: string, differs: readonly string[]): HoldfastError {
  const sentence = `The export ${exportId} is there already, with another ${differs.join(', ')}.`;
  return new HoldfastError('conflict', sentence, { reason: 'other_export', export_id: exportId, differs });
}

function stale(each: TakenExport, spec: ExportSpec): HoldfastError {
  const what = each.volumeId === spec.volumeId ? `The volume ${spec.volumeId}` : 'The image';
  const sentence = `${what} is still exported as ${each.exportId}, generation ${each.generation}; remove that first.`;
  const details = { reason: 'stale_export', export_id: each.exportId, generation: each.generation };
  return new HoldfastError('conflict', sentence, details);
}

/** The file of a live export was replaced or deleted beneath it. */
export function replaced(exportId: string): HoldfastError {
  const sentence = `The export ${exportId} serves a file that was replaced or deleted since; remove the export first.`;
  return new HoldfastError('conflict', sentence, { reason: 'stale_image', export_id: exportId });
}
