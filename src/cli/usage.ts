import type { Command } from 'commander';
import { quotaContract as contract } from '../objects/quotas/contract.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { json, table } from './output.ts';

/** `holdfast usage` */
export function registerUsageCommand(usage: Command): void {
  usage
    .option('--limit <n>', 'subjects a page', Number)
    .option('--cursor <cursor>', 'where the page before ended')
    .addHelpText('after', examples('usage'))
    .action(async (query: { limit?: number; cursor?: string }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const { limit, cursor } = query;
      const wish = { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) };
      const reply = await client.call(contract.usage, { query: wish });
      if (isJson) return output.line(json(reply));
      output.line(`This month (${reply.month}, UTC); a share of the limit where there is one.`);
      const rows = reply.items.map(({ subject, user_name: userName, meters }) => [
        userName === null ? subject : `user:${userName}`,
        ...meters.map(({ used, share }) => {
          const text = used === null ? '-' : String(used);
          return share === null ? text : `${text} (${Math.floor(share * 100)} %)`;
        }),
      ]);
      for (const line of table(['SUBJECT', 'BYTES', 'OBJECTS', 'REQUESTS', 'BYTES IN', 'BYTES OUT'], rows))
        output.line(line);
      if (reply.next_cursor !== null) output.line(`more: --cursor ${reply.next_cursor}`);
    });
}
