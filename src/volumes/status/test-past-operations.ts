import { transaction } from '../../kernel/store/transaction.ts';

export interface PastOperation {
  readonly kind: string;
  readonly status: string;
  readonly createdMs: number;
  readonly finishedMs: number | null;
}

const columns = 'id, kind, status, resource, ticket, input, actor, fence, takeovers, cancel_requested, version';

/** Operations as they would be after a while. */
export const enterOperations = transaction(
  import.meta.url,
  'enterOperations',
  async (tx, { operations }: { readonly operations: readonly PastOperation[] }) => {
    for (const [index, { kind, status, createdMs, finishedMs }] of operations.entries()) {
      await tx.run(
        `insert into operations (${columns}, created_at, finished_at) values (?, ?, ?, ?, 1, '{}', 'test', 1, 0, 0, 1, ?, ?)`,
        [`op-${index}`, kind, status, `volume:${index}`, createdMs, finishedMs],
      );
    }
  },
);
