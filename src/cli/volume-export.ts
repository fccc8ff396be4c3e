import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Client } from '../client.ts';
import { contract } from '../contract.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { howToConnect, madeExports } from './connecting.ts';
import { connect } from './connection.ts';
import { fileTrouble } from './disk-trouble.ts';
import { examples } from './examples.ts';
import { notFound } from './object/not-found.ts';
import { coloured, json, table } from './output.ts';
import { type ExportFlags, exportBody, exportFlags } from './volume-attach.ts';
import { run, waiting } from './wish.ts';

/** The commands of `holdfast volume` that are about exports. */
export function registerExportCommands(volume: Command): void {
  registerExport(volume);
  registerExports(volume);
  registerUnexport(volume);
  registerExportKey(volume);
}

function registerExport(volume: Command): void {
  const command = volume.command('export <volume>').description('export an attached volume over a network');
  exportFlags(waiting(command))
    .addHelpText('after', examples('volume export db-1 --transport nbd --tls --wait'))
    .action(async (reference: string, flags: ExportFlags, self: Command) => {
      const { transport, ...rest } = exportBody(flags);
      if (transport === undefined) {
        throw new HoldfastError('invalid', 'Name the --transport: nbd or nvmeof.', { field: '--transport' });
      }
      const request = { params: { volume: reference }, body: { transport, ...rest } };
      await run(
        self,
        (session, key) => session.client.call(contract.createExport, { ...request, ...key }),
        (operation) => madeExports(reference, operation),
      );
    });
}

function registerExports(volume: Command): void {
  volume
    .command('exports <volume>')
    .description('show how a volume is reached over a network')
    .action(async (reference: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.listExports, { params: { volume: reference } });
      if (isJson) return output.line(json(reply));
      const rows = reply.items.map(({ transport, host, state, mode, is_tls, is_chap, id }) => [
        transport,
        host,
        coloured(state),
        mode,
        is_tls || is_chap ? 'yes' : 'no',
        id,
      ]);
      for (const line of table(['TRANSPORT', 'HOST', 'STATE', 'MODE', 'KEY', 'ID'], rows)) output.line(line);
      for (const { reason, connection } of reply.items) {
        if (reason !== null) output.line(reason);
        for (const line of connection === null ? [] : howToConnect(reference, connection)) output.line(line);
      }
    });
}

function registerUnexport(volume: Command): void {
  waiting(volume.command('unexport <volume> [export]').description('remove an export; the volume stays attached'))
    .option('--force', 'cut connected clients')
    .addHelpText('after', examples('volume unexport db-1 --wait'))
    .action(async (reference: string, id: string | undefined, { force }: { force?: boolean }, command: Command) => {
      const query = { force: force ?? false };
      await run(command, async ({ client }, key) => {
        const params = { volume: reference, export: id ?? (await onlyExport(client, reference)) };
        return client.call(contract.deleteExport, { params, query, ...key });
      });
    });
}

function registerExportKey(volume: Command): void {
  volume
    .command('export-key <volume> [export]')
    .description('print the keys that clients of an export with --tls or --chap need, as the lines of a file')
    .option('--output <file>', 'write it to a new file that nobody else can read')
    .addHelpText('after', examples('volume export-key db-1 --output keys.psk'))
    .action(async (reference: string, id: string | undefined, options: { output?: string }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const params = { volume: reference, export: id ?? (await onlyExport(client, reference)) };
      const key = await client.call(contract.getExportCredentials, { params });
      const { output: path } = options;
      const lines = linesOf(key);
      if (path === undefined) return output.line(isJson ? json(key) : lines);
      await writeKey(path, `${lines}\n`);
      const identity = 'identity' in key ? { identity: key.identity } : {};
      output.line(isJson ? json({ ...identity, file: path }) : `The keys of the export are in ${path}.`);
    });
}

/** What stands in the file that the commands of the export name. */
function linesOf(key: ReplyOf<typeof contract.getExportCredentials>): string {
  if ('psk_file' in key) return key.psk_file;
  return [key.dhchap_secret, key.dhchap_ctrl_secret].filter((line) => line !== null).join('\n');
}

/** A volume has one export at most, so nobody needs to look its id up. */
async function onlyExport(client: Client, volume: string): Promise<string> {
  const { items } = await client.call(contract.listExports, { params: { volume } });
  if (items[0] === undefined) throw notFound(`Volume ${volume} has no export.`);
  return items[0].id;
}

/** Only a new file surely has this mode, and a file that is there may have keys of other exports. */
async function writeKey(path: string, line: string): Promise<void> {
  await writeFile(path, line, { mode: 0o600, flag: 'wx' }).catch((error: unknown) => {
    throw fileTrouble(path, 'written', error);
  });
}
