import type { Command } from 'commander';
import { contract } from '../contract.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { coloured, json, table } from './output.ts';

type Keeper = ReplyOf<typeof contract.listKeepers>['items'][number];
type Plan = NonNullable<ReplyOf<typeof contract.runKeeper>['plan']>;

/** How many steps of a plan are shown to people. */
const shownMax = 20;

/** `holdfast keeper …` */
export function registerKeeperCommands(keeper: Command): void {
  keeper
    .command('list')
    .description('list background reconcilers')
    .addHelpText('after', examples('keeper list'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.listKeepers);
      if (isJson) return output.line(json(reply));
      const rows = reply.items.map((one) => [
        one.name,
        coloured(stateOf(one)),
        one.last_finished_at ?? '-',
        one.last_error ?? one.last_result ?? '-',
      ]);
      for (const line of table(['NAME', 'STATE', 'LAST RUN', 'WHAT IT DID'], rows)) output.line(line);
    });
  keeper
    .command('run <keeper>')
    .description('ask a keeper to run now')
    .option('--dry-run', 'only tell what it would do and what that would cost')
    .addHelpText('after', examples('keeper run object-rebalancer --dry-run'))
    .action(async (name: string, options: { readonly dryRun?: boolean }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const body = options.dryRun === true ? { dry_run: true } : {};
      const reply = await client.call(contract.runKeeper, { params: { name }, body });
      if (isJson) return output.line(json(reply));
      if (reply.plan === null) return output.line(`${name} was asked to run`);
      for (const line of planLines(reply.plan)) output.line(line);
    });
  keeper
    .command('pause <keeper>')
    .description('let a keeper rest until it is resumed')
    .addHelpText('after', examples('keeper pause object-scrubber'))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.pauseKeeper, { params: { name }, body: {} });
      output.line(isJson ? json(reply) : `${name} rests until it is resumed`);
    });
  keeper
    .command('resume <keeper>')
    .description('let a keeper run again, and at once')
    .addHelpText('after', examples('keeper resume object-scrubber'))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.resumeKeeper, { params: { name } });
      output.line(isJson ? json(reply) : `${name} runs again`);
    });
}

function stateOf({ paused, running, progress, last_error: lastError }: Keeper): string {
  if (paused !== null) return 'paused';
  if (!running) return lastError === null ? 'idle' : 'failed';
  if (progress === null) return 'running';
  return `running ${progress.done}${progress.total === null ? '' : `/${progress.total}`}`;
}

/** A plan for people: the sentence, what it costs by place, and its first steps. */
export function planLines({ summary, steps, count, is_exact: isExact, costs, warnings = [] }: Plan): string[] {
  const lines = [summary, ...warnings.map((warning) => `warning: ${warning}`)];
  if (costs.length > 0) {
    const rows = costs.map((cost) => [
      cost.place,
      String(cost.requests),
      String(cost.ingress_bytes),
      String(cost.egress_bytes),
    ]);
    lines.push(...table(['PLACE', 'REQUESTS', 'BYTES IN', 'BYTES OUT'], rows));
  }
  const shown = steps.slice(0, shownMax);
  if (shown.length > 0) {
    const rows = shown.map((step) => [step.action, String(step.size_bytes), step.subject]);
    lines.push(...table(['STEP', 'BYTES', 'OF'], rows));
    if (count > shown.length) lines.push(`and ${isExact ? '' : 'at least '}${count - shown.length} more`);
  }
  return lines;
}
