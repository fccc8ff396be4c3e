import type { Command } from 'commander';
import { contract } from '../contract.ts';
import { type Session, connect } from './connection.ts';
import { coloured, json, table } from './output.ts';
import { type OperationReply, waitForOperation } from './wait.ts';

/** `holdfast operation …` */
export function registerOperationCommands(operation: Command): void {
  operation
    .command('list')
    .description('list operations, newest first')
    .option('--type <type>', 'such as volume.attach')
    .option('--status <status>')
    .option('--volume <id>')
    .option('--limit <n>', 'operations a page', Number)
    .option('--cursor <cursor>')
    .action(async (options: Record<string, string>, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const { type, status, volume, limit, cursor } = options;
      const reply = await client.call(contract.listOperations, {
        query: { type, status, volume_id: volume, limit, cursor } as never,
      });
      if (isJson) return output.line(json(reply));
      const rows = reply.items.map((one) => [
        one.type,
        coloured(one.status),
        one.resource,
        one.created_at,
        one.actor,
        one.id,
      ]);
      for (const line of table(['TYPE', 'STATUS', 'RESOURCE', 'CREATED', 'BY', 'ID'], rows)) output.line(line);
      if (reply.next_cursor !== null) output.line(`more: --cursor ${reply.next_cursor}`);
    });
  operation
    .command('show <id>')
    .description('show one operation with its steps')
    .action(async (id: string, _options: unknown, command: Command) => {
      const session = connect(command.optsWithGlobals());
      print(session, await session.client.call(contract.getOperation, { params: { id } }));
    });
  operation
    .command('watch <id>')
    .description('follow an operation to its end; fails when it fails')
    .action(async (id: string, _options: unknown, command: Command) => {
      const session = connect(command.optsWithGlobals());
      print(session, await waitForOperation(session, id));
    });
  operation
    .command('cancel <id>')
    .description('ask an operation to end')
    .action(async (id: string, _options: unknown, command: Command) => {
      const session = connect(command.optsWithGlobals());
      print(session, await session.client.call(contract.cancelOperation, { params: { id }, body: {} }));
    });
}

function print({ output, isJson }: Session, operation: OperationReply): void {
  if (isJson) return output.line(json(operation));
  const { id, type, status, resource, actor, created_at, finished_at, error, takeovers, cancel_requested, steps } =
    operation;
  output.line(`${type} ${coloured(status)}${cancel_requested && status === 'executing' ? ' (cancelling)' : ''}`);
  output.line(`id        ${id}\nresource  ${resource}\nby        ${actor}\ncreated   ${created_at}`);
  if (finished_at !== null) output.line(`finished  ${finished_at}`);
  if (takeovers > 0) output.line(`resumed   ${takeovers} times after a crash`);
  if (error !== null) output.line(`error     ${error.error}`);
  const rows = (steps ?? []).map((step) => [
    step.name,
    coloured(step.status),
    String(step.attempts),
    step.next_attempt_at ?? '',
    step.error?.error ?? '',
  ]);
  if (rows.length > 0)
    for (const line of table(['STEP', 'STATUS', 'ATTEMPTS', 'NEXT', 'ERROR'], rows)) output.line(line);
}
