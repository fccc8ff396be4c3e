import type { Command } from 'commander';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { gatewayContract } from '../objects/api/contract.ts';
import { connect } from './connection.ts';
import { registerRebuild } from './gateway-rebuild.ts';
import { examples } from './examples.ts';
import { exitCodes } from './exit-codes.ts';
import { printable } from './object/address.ts';
import { runObjectCommand } from './object/run.ts';
import { coloured, json, table } from './output.ts';

type CheckReply = ReplyOf<typeof gatewayContract.checkGateway>;

/** A check says nothing until its end, and the server itself ends it before this. */
const checkTimeoutMs = 35 * 60_000;

/** `holdfast gateway …` */
export function registerGatewayCommands(gateway: Command): void {
  registerRebuild(gateway);
  gateway
    .command('check')
    .description('account for every object, copy and byte; fails when something is not as it must be')
    .option('--deep', 'read all bytes too')
    .addHelpText('after', examples('gateway check --deep'))
    .action((flags: { deep?: boolean }, command: Command) =>
      runObjectCommand(command, async ({ bytes, output, isJson, signal }) => {
        const { method, path } = gatewayContract.checkGateway;
        const request = { method, path, signal, idleTimeoutMs: checkTimeoutMs };
        const report = await bytes.json<CheckReply>(request, { deep: flags.deep === true });
        if (isJson) output.line(json(report));
        else for (const line of reportLines(report)) output.line(line);
        if (report.findings.length > 0) process.exitCode = exitCodes.failed;
      }),
    );
  gateway
    .command('retry')
    .description('try deletions again that were given up')
    .option('--backend <name>', 'only those of one backend')
    .addHelpText('after', examples('gateway retry --backend disk1'))
    .action(async ({ backend }: { backend?: string }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(gatewayContract.retryCleanup, { body: backend === undefined ? {} : { backend } });
      if (isJson) return output.line(json(reply));
      output.line(`${reply.requeued} ${reply.requeued === 1 ? 'deletion is' : 'deletions are'} tried again.`);
    });
}

function reportLines(report: CheckReply): string[] {
  const { findings, is_truncated: isTruncated } = report;
  const facts: readonly (readonly [string, number])[] = [
    ['objects', report.objects],
    ['copies', report.copies],
    ['blobs', report.blobs],
    ['copies owed', report.owed_copies],
    ['waiting deletions', report.waiting_deletions],
    ['given up', report.dead_letters],
    ['findings', findings.length],
  ];
  const rows = findings.map(({ kind, detail }) => [printable(kind), printable(detail)]);
  return [
    ...facts.map(([name, value]) => `${name.padEnd(20)}${value}`),
    ...(rows.length === 0 ? [coloured('ok')] : ['', ...table(['FINDING', 'DETAIL'], rows)]),
    ...(isTruncated ? ['There is more than is told here.'] : []),
  ];
}
