import type { BucketSettings } from '../bucket.ts';
import { fitsLabels } from '../placement.ts';

export type Labels = BucketSettings['requiredLabels'];

/** A copy, with what its backend's row says. */
export interface StandingRow {
  readonly state: string;
  /** As JSON. */
  readonly labels: string;
  readonly is_away: number;
}

/** Whether a copy counts: its backend takes writes, works, and carries the labels that are required. */
export function standsWell({ state, labels, is_away: isAway }: StandingRow, required: Labels = {}): boolean {
  return state === 'active' && isAway === 0 && fitsLabels({ labels: JSON.parse(labels) as Labels }, required);
}
