import { transaction } from '../../kernel/store/transaction.ts';
import { noteShortfall } from './copies.ts';

export interface OweCopies {
  readonly items: readonly { readonly contentId: string; readonly part: number; readonly bucket: string }[];
  readonly nowMs: number;
}

/** Says of parts of contents that they may have fewer copies than their buckets want. */
export const oweCopies = transaction(
  import.meta.url,
  'oweCopies',
  async (tx, { items, nowMs }: OweCopies): Promise<void> => {
    for (const { contentId, part, bucket } of items) await noteShortfall(tx, { contentId, part }, bucket, nowMs);
  },
);
