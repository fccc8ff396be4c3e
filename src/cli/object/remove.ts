import type { Command } from 'commander';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { confirm } from '../confirm.ts';
import { examples } from '../examples.ts';
import { json } from '../output.ts';
import { type ObjectAddress, parseAddress, parseObjectAddress, printable } from './address.ts';
import { removeBelow, removeObject } from './remove-below.ts';
import { type ObjectSession, runObjectCommand, withParallel } from './run.ts';
import { Tally } from './tally.ts';

interface RemoveFlags {
  readonly recursive?: boolean;
  readonly versionId?: string;
  readonly yes?: boolean;
  readonly parallel: number;
}

/** `holdfast object remove` */
export function registerRemove(object: Command): void {
  withParallel(object.command('remove <target>'))
    .description('remove <bucket>/<key>')
    .option('-r, --recursive', 'all objects below <bucket>[/prefix]')
    .option('--version-id <id>', 'this version of the object, for good')
    .option('-y, --yes', 'without asking, where a whole bucket is emptied')
    .addHelpText('after', examples('object remove safe/old.tar', 'object remove safe/photos --recursive'))
    .action((target: string, flags: RemoveFlags, command: Command) =>
      runObjectCommand(command, async (session) => {
        if (flags.recursive !== true) return removeOne(session, parseObjectAddress(target), flags);
        if (flags.versionId !== undefined) throw new HoldfastError('invalid', '--version-id is for one object.');
        return removeTree(session, parseAddress(target), flags);
      }),
    );
}

async function removeOne(
  { bytes, output, isJson, signal }: ObjectSession,
  address: ObjectAddress,
  { versionId }: RemoveFlags,
): Promise<void> {
  const removed = await removeObject(bytes, address, signal, versionId);
  if (isJson) return output.line(json({ ...address, ...removed }));
  const how = removed.is_delete_marker ? ' (older versions are kept)' : '';
  output.line(`${printable(`${address.bucket}/${address.key}`)} is removed${how}.`);
}

async function removeTree(session: ObjectSession, address: ObjectAddress, flags: RemoveFlags): Promise<void> {
  const { bytes, output, isJson, signal } = session;
  if (address.key === '') await confirm(`All objects in ${address.bucket} will be removed. Go on?`, flags.yes === true);
  const tally = new Tally();
  await removeBelow(bytes, address, { parallel: flags.parallel, signal, tally });
  tally.report(output, isJson, 'removed', false);
}
