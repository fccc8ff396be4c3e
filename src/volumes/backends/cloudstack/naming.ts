import type { ImageFacts } from '../backend.ts';
import { placeOf, type VolumeRow } from './row.ts';
import { KEY, attachmentOf, isTouched, strangerOf } from './tags.ts';

/**
 * Images are known by the names of their volumes. Names are not unique in CloudStack, so one of several volumes has the
 * name, and the others are known by their ids:
 * ours goes before an untagged one, live before trash, older before younger.
 */
export function holderOf(namesakes: readonly VolumeRow[]): VolumeRow | null {
  const candidates = namesakes.filter(isThere);
  return candidates.toSorted((a, b) => rankOf(a) - rankOf(b) || byAge(a, b))[0] ?? null;
}

/**
 * Whether the row is an image at all. One that CloudStack destroyed is in our trash only when Holdfast has had to do with
 * it: CloudStack also leaves what it failed to create in that state.
 */
export function isThere(row: VolumeRow): boolean {
  const place = placeOf(row.state);
  return place !== 'gone' && (place !== 'trash' || isTouched(row));
}

export function isInTrash(row: VolumeRow): boolean {
  return placeOf(row.state) === 'trash' || row.tags.has(KEY.trash);
}

export function toFacts(image: string, row: VolumeRow): ImageFacts {
  const stranger = strangerOf(row);
  return {
    image,
    volumeId: row.tags.get(KEY.volumeId) ?? null,
    name: row.tags.get(KEY.name) ?? null,
    sizeBytes: row.sizeBytes,
    place: isInTrash(row) ? 'trash' : 'live',
    complete: placeOf(row.state) !== 'unfinished',
    attachment: attachmentOf(row),
    watchers: stranger === null ? [] : [`VM ${stranger}`],
    location: `${row.zone}/${row.name} (${row.id})`,
    details: row.details,
  };
}

export function byAge(a: VolumeRow, b: VolumeRow): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

function rankOf(row: VolumeRow): number {
  return (row.tags.has(KEY.volumeId) ? 0 : 2) + (isInTrash(row) ? 1 : 0);
}
