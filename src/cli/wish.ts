import type { Command } from 'commander';
import type { contract } from '../contract.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { type ConnectionOptions, type Session, connect } from './connection.ts';
import { coloured, json } from './output.ts';
import { type OperationReply, waitForOperation } from './wait.ts';

type AcceptedReply = ReplyOf<typeof contract.createVolume>;

interface Waiting extends ConnectionOptions {
  readonly wait?: boolean;
  readonly idempotencyKey?: string;
}

/** Adds the options of a command that starts an operation. */
export function waiting(command: Command): Command {
  return command
    .option('--wait', 'wait until it is done; fail when it fails')
    .option('--idempotency-key <key>', 'the same key again gives the first answer');
}

/** Sends a wish, and waits for it where that is wanted; `more` are lines about its outcome, for people. */
export async function run(
  command: Command,
  send: (session: Session, key: { idempotencyKey?: string }) => Promise<AcceptedReply>,
  more: (operation: OperationReply) => readonly string[] = () => [],
): Promise<void> {
  const options: Waiting = command.optsWithGlobals();
  const session = connect(options);
  const { output, isJson } = session;
  const accepted = await send(
    session,
    options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey },
  );
  if (options.wait !== true) {
    if (isJson) output.line(json(accepted));
    else output.line(`${accepted.type} accepted: ${accepted.operation_id} (volume ${accepted.volume_id ?? '-'})`);
    return;
  }
  const operation = await waitForOperation(session, accepted.operation_id);
  if (isJson) return output.line(json(operation));
  output.line(`${operation.type} ${coloured(operation.status)} (volume ${operation.volume_id ?? '-'})`);
  for (const line of more(operation)) output.line(line);
}
