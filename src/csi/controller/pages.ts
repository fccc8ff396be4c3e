import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Page, PageRequest } from '../holdfast.ts';
import type { ListRequest } from '../messages.ts';
import { CsiRefusal } from '../status.ts';

/** Holdfast's largest page. */
const pageItemsMax = 1_000;
/** What a message of gRPC holds (4 MiB) with room to spare; the rest has a token. */
const itemsMax = 10_000;

/**
 * As many items as were asked for, or all that fit into one answer.
 *
 * @throws CsiRefusal `ABORTED` for a token that is none, and so means: begin again.
 */
export async function readPages<T>(
  { max_entries: wanted, starting_token: token }: ListRequest,
  read: (page: PageRequest) => Promise<Page<T>>,
): Promise<{ items: T[]; nextToken: string }> {
  if (wanted < 0) throw new CsiRefusal('INVALID_ARGUMENT', 'The number of entries is negative.');
  const most = wanted === 0 ? itemsMax : Math.min(wanted, itemsMax);
  const items: T[] = [];
  let cursor = token === '' ? null : token;
  do {
    const page = await read({ cursor, limit: Math.min(most - items.length, pageItemsMax) }).catch((error: unknown) => {
      const isBadToken = cursor !== null && error instanceof HoldfastError && error.kind === 'invalid';
      throw isBadToken
        ? new CsiRefusal('ABORTED', 'The starting token is not one of this driver; begin again.')
        : error;
    });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null && items.length < most);
  return { items, nextToken: cursor ?? '' };
}
