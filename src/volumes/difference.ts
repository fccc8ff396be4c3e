/** Something that the store and the world say differently, and what was done about it. */
export interface Difference {
  /** Who disagrees with the store. */
  readonly between: 'backend' | 'host' | 'kernel';
  readonly kind: string;
  readonly volume_id: string | null;
  /** A sentence for people. */
  readonly message: string;
  /** What was begun to make it right, or why nothing was. */
  readonly action: string;
}

/** Hears of each difference as it is found. */
export type OnDifference = (difference: Difference) => void;
