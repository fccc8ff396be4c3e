import { appendFileSync } from 'node:fs';
import { CompiledQuery } from 'kysely';
import { appendEvent } from '../../src/kernel/events/event.ts';
import type { Op, OperationKind } from '../../src/kernel/operations/operation.ts';
import { findReplay, type OperationRequest, startOperation } from '../../src/kernel/operations/start.ts';
import type { Migration } from '../../src/kernel/store/migrations/migration.ts';
import { type Call, call, transaction } from '../../src/kernel/store/transaction.ts';

/** A row of the domain counts what was accepted, what each step committed, and what was completed. */
export const chaosMigration: Migration = {
  name: '9004_chaos',
  up: async (db, types) => {
    const columns = ['accepted', 'one', 'two', 'three'].map((name) => `${name} ${types.integer} not null`);
    await db.executeQuery(
      CompiledQuery.raw(`create table chaos_rows (id ${types.key} primary key, ${columns.join(', ')})`),
    );
  },
  down: async (db) => {
    await db.executeQuery(CompiledQuery.raw('drop table chaos_rows'));
  },
};

interface ChaosInput {
  readonly row: string;
}

export const acceptChaos = transaction(
  import.meta.url,
  'acceptChaos',
  async (tx, params: { readonly request: OperationRequest; readonly row: string }) => {
    const { request, row } = params;
    const known = await findReplay(tx, request);
    if (known !== null) return known;
    await tx.run(
      `insert into chaos_rows (id, accepted, one, two, three) values (?, 1, 0, 0, 0)
       on conflict (id) do update set accepted = chaos_rows.accepted + 1`,
      [row],
    );
    const resource = `row:${row}`;
    const { operationId, actor, nowMs: createdAtMs } = request;
    await appendEvent(tx, { resource, type: 'accepted', data: {}, operationId, actor, createdAtMs });
    return startOperation(tx, request, { kind: 'chaos.three-steps', resource, input: { row } });
  },
);

const steps = ['one', 'two', 'three'] as const;
type StepName = (typeof steps)[number];

export const countStep = transaction(
  import.meta.url,
  'countStep',
  async (tx, params: { readonly row: string; readonly step: StepName; readonly operationId: string }) => {
    const { row, step, operationId } = params;
    await tx.run(`update chaos_rows set ${step} = ${step} + 1 where id = ?`, [row]);
    const facts = { type: step, data: {}, operationId, actor: 'chaos', createdAtMs: 0 };
    await appendEvent(tx, { resource: `row:${row}`, ...facts });
  },
);

/** Three steps, each with an effect outside the store: a line in a file, with its token and fence. */
export function chaosKind(effectsFile: string): OperationKind<ChaosInput> {
  return {
    name: 'chaos.three-steps',
    run: async (op: Op<ChaosInput>) => {
      for (const step of steps) {
        const commit = (): Call => call(countStep, { row: op.input.row, step, operationId: op.id });
        const effect = ({ token, fence }: { token: string; fence: number }) => {
          appendFileSync(effectsFile, `${op.resource} ${fence} ${token}\n`);
        };
        await op.step(step, effect, { commit });
      }
    },
  };
}
