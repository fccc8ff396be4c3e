import type { Command } from 'commander';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { quotaContract as contract } from '../objects/quotas/contract.ts';
import { countOf, sizeOf } from './backend-options.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { json, table } from './output.ts';

type Quota = ReplyOf<typeof contract.getQuota>;

interface LimitFlags {
  readonly bytes?: string;
  readonly objects?: string;
  readonly monthlyRequests?: string;
  readonly monthlyIngress?: string;
  readonly monthlyEgress?: string;
}

/** `holdfast quota …` */
export function registerQuotaCommands(quota: Command): void {
  quota
    .command('set <subject>')
    .description('limit a bucket (bucket:NAME) or a user (user:NAME); "none" takes one limit away')
    .option('--bytes <size>', 'of all versions and parts of open uploads')
    .option('--objects <n>', 'versions')
    .option('--monthly-requests <n>', 'requests a calendar month (UTC)')
    .option('--monthly-ingress <size>', 'bytes written a month')
    .option('--monthly-egress <size>', 'bytes read a month')
    .addHelpText(
      'after',
      examples('quota set bucket:photos --bytes 100GiB', 'quota set user:alice --monthly-egress 1TiB --objects none'),
    )
    .action(async (subject: string, flags: LimitFlags, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.setQuota, { params: { subject }, body: limitsOf(flags) });
      if (isJson) return output.line(json(reply));
      for (const line of quotaTable([reply])) output.line(line);
    });
  quota
    .command('show <subject>')
    .description('show the limits of a bucket or user, and what it has')
    .addHelpText('after', examples('quota show bucket:photos'))
    .action(async (subject: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.getQuota, { params: { subject } });
      if (isJson) return output.line(json(reply));
      for (const line of quotaTable([reply])) output.line(line);
    });
  quota
    .command('list')
    .description('list buckets and users with limits')
    .option('--limit <n>', 'quotas a page', Number)
    .option('--cursor <cursor>', 'where the page before ended')
    .addHelpText('after', examples('quota list'))
    .action(async (query: { limit?: number; cursor?: string }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.listQuotas, { query });
      if (isJson) return output.line(json(reply));
      for (const line of quotaTable(reply.items)) output.line(line);
      if (reply.next_cursor !== null) output.line(`more: --cursor ${reply.next_cursor}`);
    });
  quota
    .command('remove <subject>')
    .description('take all limits of a bucket or user away')
    .addHelpText('after', examples('quota remove user:alice'))
    .action(async (subject: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      await client.call(contract.removeQuota, { params: { subject } });
      output.line(isJson ? json({ subject }) : `${subject} has no limits any more.`);
    });
}

function limitsOf(flags: LimitFlags): Record<string, number | string | null> {
  const limits: Record<string, number | string | null> = {};
  const set = (
    field: string,
    flag: string,
    value: string | undefined,
    parse: (flag: string, value: string) => unknown,
  ) => {
    if (value !== undefined) limits[field] = value === 'none' ? null : String(parse(flag, value));
  };
  set('bytes_max', '--bytes', flags.bytes, sizeOf);
  set('objects_max', '--objects', flags.objects, countOf);
  set('month_requests_max', '--monthly-requests', flags.monthlyRequests, countOf);
  set('month_ingress_bytes_max', '--monthly-ingress', flags.monthlyIngress, sizeOf);
  set('month_egress_bytes_max', '--monthly-egress', flags.monthlyEgress, sizeOf);
  return limits;
}

function quotaTable(quotas: readonly Quota[]): string[] {
  const of = (maximum: number | null) => (maximum === null ? '-' : String(maximum));
  const rows = quotas.map((one) => [
    one.user_name === null ? one.subject : `user:${one.user_name}`,
    `${one.used_bytes}${one.counted_at === null ? ' (counting)' : ''}`,
    of(one.bytes_max),
    String(one.used_objects),
    of(one.objects_max),
    of(one.month_requests_max),
    of(one.month_ingress_bytes_max),
    of(one.month_egress_bytes_max),
  ]);
  const headers = ['SUBJECT', 'BYTES', 'OF', 'OBJECTS', 'OF', 'REQUESTS A MONTH', 'IN A MONTH', 'OUT A MONTH'];
  return table(headers, rows);
}
