import type { Command } from 'commander';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { rebuildContract } from '../objects/rebuilding/contract.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { exitCodes } from './exit-codes.ts';
import { printable } from './object/address.ts';
import { coloured, json, table } from './output.ts';

type Rebuild = ReplyOf<typeof rebuildContract.rebuildGateway>;

interface Flags {
  readonly missing?: boolean;
  readonly dryRun?: boolean;
  readonly acceptLoss?: boolean;
  readonly backend?: readonly string[];
}

const pollMs = 500;

/** `holdfast gateway rebuild` */
export function registerRebuild(gateway: Command): void {
  gateway
    .command('rebuild')
    .description('rebuild a ledger that was lost from what stands on the backends')
    .option('--missing', 'enter only keys that the ledger does not have, and leave all others as they are')
    .option('--dry-run', 'only tell what would be entered')
    .option('--accept-loss', 'give up what is lost, so that the backup that tells of it may go')
    .option('--backend <name...>', 'only from these backends')
    .addHelpText('after', examples('gateway rebuild --dry-run', 'gateway rebuild'))
    .action(async ({ missing = false, dryRun = false, acceptLoss = false, backend = [] }: Flags, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const body = { missing, dry_run: dryRun, accept_loss: acceptLoss, backends: [...backend] };
      const { id } = await client.call(rebuildContract.rebuildGateway, { body });
      const ended = await waitFor(id, async () => (await client.call(rebuildContract.rebuildStatus, {})).rebuild);
      if (isJson) output.line(json(ended));
      else for (const line of linesOf(ended)) output.line(line);
      if (ended.state === 'failed' || (ended.report?.lost ?? 0) > 0) process.exitCode = exitCodes.failed;
    });
}

/** A rebuild takes as long as there are blobs; it goes on at the server when nobody waits for it. */
async function waitFor(id: string, look: () => Promise<Rebuild | null>): Promise<Rebuild> {
  for (;;) {
    const rebuild = await look();
    if (rebuild !== null && (rebuild.id !== id || rebuild.state !== 'running')) return rebuild;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function linesOf({ report, error, dry_run: isDryRun }: Rebuild): string[] {
  if (report === null) return [printable(error ?? 'It failed.')];
  const facts: readonly (readonly [string, string | number])[] = [
    ['backup as of', report.backup_as_of ?? (report.has_backup ? 'unknown' : 'none found')],
    ['blobs', report.blobs],
    ['buckets', report.buckets],
    ['keys', report.keys],
    ['versions', report.versions],
    ['copies', report.copies],
    ['open uploads', report.uploads],
    ['left as they are', report.standing],
    ['superseded', report.superseded],
    ['newer than backup', report.doubtful],
    ['lost', report.lost],
    ['unknown', report.unknown],
    ...Object.entries(report.settings).map(([name, count]) => [name.replaceAll('_', ' '), count] as const),
  ];
  const rows = report.findings.map(({ kind, detail }) => [printable(kind), printable(detail)]);
  return [
    ...facts.map(([name, value]) => `${name.padEnd(22)}${value}`),
    ...(rows.length === 0 ? [coloured('ok')] : ['', ...table(['FINDING', 'DETAIL'], rows)]),
    ...(report.is_truncated ? ['There is more than is told here.'] : []),
    ...(isDryRun ? ['Nothing was entered.'] : []),
  ];
}
