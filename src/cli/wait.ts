import { setTimeout as delay } from 'node:timers/promises';
import { contract } from '../contract.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { Session } from './connection.ts';
import { OperationFailed } from './failure.ts';

export type OperationReply = ReplyOf<typeof contract.getOperation>;

const reconnectsMax = 600;
const reconnectMs = 500;

/**
 * Follows an operation to its end with a live line, also over a restart of the server. Throws {@link OperationFailed}
 * when it does not complete.
 */
export async function waitForOperation(session: Session, id: string): Promise<OperationReply> {
  const operation = await follow(session, id);
  if (operation.status === 'completed') return operation;
  const reason = operation.error?.error ?? `it was ${operation.status}`;
  throw new OperationFailed(`${operation.type} ${operation.status}: ${reason}`);
}

async function follow({ client, output }: Session, id: string): Promise<OperationReply> {
  for (let attempt = 0; attempt < reconnectsMax; attempt++) {
    try {
      for await (const { data } of client.stream(contract.watchOperation, { params: { id } })) {
        const operation = data as OperationReply;
        output.live(liveLine(operation));
        if (operation.finished_at !== null) {
          output.live('');
          return operation;
        }
      }
    } catch (error) {
      if (!(error instanceof HoldfastError) && !(error instanceof TypeError)) throw error;
      output.live('the server is away, trying again …');
    }
    await delay(reconnectMs);
  }
  throw new OperationFailed(`operation ${id} did not end while it was watched`);
}

function liveLine(operation: OperationReply): string {
  const step = operation.steps?.at(-1);
  const attempts = step !== undefined && step.attempts > 0 ? `, ${step.attempts} attempts` : '';
  const reason = step?.error ? `: ${step.error.error}` : '';
  return `${operation.type} ${operation.status}${step === undefined ? '' : ` · ${step.name} ${step.status}${attempts}${reason}`}`;
}
