import { type Command, Option } from 'commander';
import { contract } from '../contract.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { madeExports } from './connecting.ts';
import { examples } from './examples.ts';
import { run, waiting } from './wish.ts';

/** What a command says of the export that is to be made. */
export interface ExportFlags {
  readonly transport?: 'nbd' | 'nvmeof';
  readonly tls?: boolean;
  readonly chap?: boolean;
  readonly allowHost?: readonly string[];
  readonly exportHost?: string;
}

interface AttachFlags extends ExportFlags {
  readonly node?: string;
  readonly vm?: string;
  readonly mode?: 'rw' | 'ro';
  readonly readOnly?: boolean;
}

/** `holdfast volume attach` */
export function registerAttach(volume: Command): void {
  const attach = waiting(volume.command('attach <volume> [node]').description('attach a volume at a node or for a VM'))
    .option('--node <node>', 'where it is used; the same as the second argument')
    .option('--vm <vm>', 'the virtual machine that uses it, in place of a node')
    .addOption(new Option('--mode <mode>', 'read and write, or read only').choices(['rw', 'ro']))
    .option('--read-only', 'the same as --mode ro');
  exportFlags(attach)
    .addHelpText(
      'after',
      examples(
        'volume attach db-1 --node node-1 --transport nbd --wait',
        'volume attach db-1 --node node-1 --transport nbd --tls --export-host store-2 --wait',
        'volume attach db-1 --node node-1 --transport nvmeof --allow-host nqn.2014-08.org.nvmexpress:uuid:… --chap --wait',
        'volume attach db-1 --vm vm-7 --mode ro',
      ),
    )
    .action(async (reference: string, node: string | undefined, flags: AttachFlags, command: Command) => {
      const body = { ...placeOf(node, flags), mode: modeOf(flags), ...exportBody(flags) };
      await run(
        command,
        (session, key) => session.client.call(contract.attachVolume, { params: { volume: reference }, body, ...key }),
        (operation) => madeExports(reference, operation),
      );
    });
}

/** Adds the options that say what export is to be made. */
export function exportFlags(command: Command): Command {
  return command
    .addOption(new Option('--transport <transport>', 'export it over a network').choices(['nbd', 'nvmeof']))
    .option('--tls', 'nobody connects without the key that "volume export-key" tells (NBD)')
    .option('--chap', 'hosts prove themselves with the keys that "volume export-key" tells (NVMe)')
    .option('--allow-host <nqn...>', 'the machines that may connect (NVMe)')
    .option('--export-host <host>', "the host that serves it; by default the server's own");
}

/** The same as the API takes it. */
export function exportBody({ transport, tls, chap, allowHost, exportHost }: ExportFlags) {
  return {
    ...(transport === undefined ? {} : { transport }),
    ...(tls === undefined ? {} : { tls }),
    ...(chap === undefined ? {} : { chap }),
    ...(allowHost === undefined ? {} : { allowed_hosts: [...allowHost] }),
    ...(exportHost === undefined ? {} : { export_host: exportHost }),
  };
}

function placeOf(argument: string | undefined, { node, vm }: AttachFlags): { node_id: string } | { vm_id: string } {
  const [named, ...more] = [argument, node].filter((each) => each !== undefined);
  if (vm !== undefined && named === undefined) return { vm_id: vm };
  if (vm === undefined && named !== undefined && more.length === 0) return { node_id: named };
  const sentence = 'Name one place: --node, or --vm for a virtual machine, and not both.';
  throw new HoldfastError('invalid', sentence, { field: '--node' });
}

function modeOf({ mode, readOnly = false }: AttachFlags): 'rw' | 'ro' {
  if (!readOnly) return mode ?? 'rw';
  if (mode !== 'rw') return 'ro';
  throw new HoldfastError('invalid', '--read-only and --mode rw say different things.', { field: '--mode' });
}
