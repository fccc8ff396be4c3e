import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { storageMigrationContract as contract } from '../objects/storage-migration/contract.ts';
import { pairOption, pairs, secretsOf } from './backend-options.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { exitCodes } from './exit-codes.ts';
import { planLines } from './keeper.ts';
import { coloured, json, table } from './output.ts';

type Migration = NonNullable<ReplyOf<typeof contract.migrationStatus>['migration']>;

interface StartFlags {
  readonly source?: string;
  readonly kind?: string;
  readonly set?: readonly string[];
  readonly secret?: readonly string[];
  readonly parallel?: string;
  readonly readBack: boolean;
  readonly dryRun?: boolean;
}

const watchMs = 1_000;

/** `holdfast migration …` */
export function registerMigrationCommands(migration: Command): void {
  registerStart(migration);
  registerStatus(migration);
  migration
    .command('failures')
    .description('list what could not be carried yet')
    .option('--limit <n>', 'failures a page', Number)
    .option('--cursor <cursor>', 'where the page before ended')
    .addHelpText('after', examples('migration failures'))
    .action(async (query: { limit?: number; cursor?: string }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.migrationFailures, { query });
      if (isJson) return output.line(json(reply));
      const rows = reply.items.map((one) => [
        one.content,
        String(one.part),
        String(one.attempts),
        one.due_at,
        one.error,
      ]);
      for (const line of table(['CONTENT', 'PART', 'ATTEMPTS', 'NEXT', 'ERROR'], rows)) output.line(line);
      if (reply.next_cursor !== null) output.line(`more: --cursor ${reply.next_cursor}`);
    });
  migration
    .command('retry')
    .description('try what failed again at once')
    .addHelpText('after', examples('migration retry'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.retryMigration, { body: {} });
      output.line(isJson ? json(reply) : `${reply.retried} are tried again`);
    });
  migration
    .command('cancel')
    .description('give the migration up before it is switched; nothing is lost on the source')
    .addHelpText('after', examples('migration cancel'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.cancelMigration);
      output.line(isJson ? json(reply) : `The migration to ${reply.migration.target} is given up.`);
    });
}

function registerStart(migration: Command): void {
  migration
    .command('start <target>')
    .description('move everything from one backend to another, or to a new one, while both are used')
    .option('--source <name>', 'what is left; the only other active one by default')
    .option('--kind <kind>', 'add the target as a new backend of this kind')
    .option('--set <key=value...>', 'settings of a new backend', pairOption)
    .option('--secret <key...>', 'secrets of a new backend')
    .option('--parallel <n>', 'copies at once (8)')
    .option('--no-read-back', 'do not read each copy back before it counts')
    .option('--dry-run', 'only tell what would move and what that would cost')
    .addHelpText(
      'after',
      examples(
        'migration start disk2 --source disk1 --dry-run',
        'migration start away --kind s3 --set endpoint=https://s3.example.org bucket=b',
      ),
    )
    .action(async (target: string, flags: StartFlags, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const { source, kind, parallel } = flags;
      const config = pairs('--set', flags.set);
      const secrets = await secretsOf(flags.secret, process.env, process.stdin);
      const body = {
        ...(kind === undefined ? { target } : { driver: kind, name: target }),
        ...(config === undefined ? {} : { config }),
        ...(secrets === undefined ? {} : { secrets }),
        ...(source === undefined ? {} : { source }),
        ...(parallel === undefined ? {} : { parallel: Number(parallel) }),
        read_back: flags.readBack,
        ...(flags.dryRun === true ? { dry_run: true } : {}),
      };
      const reply = await client.call(contract.migrate, { body });
      if (isJson) return output.line(json(reply));
      if (reply.plan !== null) for (const line of planLines(reply.plan)) output.line(line);
      if (reply.migration !== null)
        output.line(`${sentenceOf(reply.migration)} Watch it: holdfast migration status --watch`);
    });
}

function registerStatus(migration: Command): void {
  migration
    .command('status')
    .description('show the migration under way, or the last one')
    .option('--watch', 'follow it until it has ended')
    .addHelpText('after', examples('migration status --watch'))
    .action(async (options: { readonly watch?: boolean }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      for (;;) {
        const { migration: one } = await client.call(contract.migrationStatus);
        if (isJson) output.line(json({ migration: one }));
        else output.line(one === null ? 'Nothing was migrated yet.' : sentenceOf(one));
        if (one === null || options.watch !== true || one.finished_at !== null) {
          if (options.watch === true && one?.state === 'cancelled') process.exitCode = exitCodes.failed;
          return;
        }
        await delay(watchMs);
      }
    });
}

function sentenceOf(one: Migration): string {
  const left = one.seconds_left === null ? '' : `, ${one.seconds_left} s left`;
  const trouble = one.failures === 0 ? '' : ` ${one.failures} could not be carried yet: ${one.last_error ?? ''}`;
  const moved = `${one.moved_copies} of ${one.total_copies} copies, ${one.moved_bytes} bytes${left}`;
  return `${one.source} to ${one.target}: ${coloured(one.state)}, ${moved}.${trouble}`;
}
