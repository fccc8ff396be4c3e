import type { Command } from 'commander';
import { contract } from '../contract.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { coloured, json, table } from './output.ts';

type HostReply = ReplyOf<typeof contract.getHost>;

/** `holdfast host …` */
export function registerHostCommands(host: Command): void {
  host
    .command('list')
    .description('list machines with an agent')
    .addHelpText('after', examples('host list'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.listHosts);
      if (isJson) return output.line(json(reply));
      const rows = reply.items.map((one) => [
        one.name,
        coloured(one.state),
        one.address,
        transportsOf(one).join(', ') || '-',
        one.last_heard_at,
        one.version,
        one.id,
      ]);
      for (const line of table(['NAME', 'STATE', 'ADDRESS', 'EXPORTS', 'LAST HEARD', 'VERSION', 'ID'], rows)) {
        output.line(line);
      }
    });
  host
    .command('show <host>')
    .description('show one host')
    .addHelpText('after', examples('host show node-1'))
    .action(async (reference: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const one = await client.call(contract.getHost, { params: { host: reference } });
      if (isJson) return output.line(json(one));
      for (const [name, value] of factsOf(one)) output.line(`${name.padEnd(16)}${value}`);
    });
}

function factsOf(one: HostReply): (readonly [string, string])[] {
  return [
    ['id', one.id],
    ['name', one.name],
    ['state', coloured(one.state)],
    ['address', one.address],
    ['exports over', transportsOf(one).join(', ') || 'nothing'],
    ['agent version', one.version],
    ['agents so far', String(one.epoch)],
    ['last heard', `${one.last_heard_at} (${Math.round(one.silent_ms / 1000)} s ago)`],
    ['known since', one.created_at],
  ];
}

/** The transports over which its agent can export volumes. */
function transportsOf({ capabilities }: HostReply): string[] {
  return Object.keys((capabilities['transports'] ?? {}) as Record<string, unknown>).sort();
}
