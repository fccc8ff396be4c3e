import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { filesystemKind } from '../../objects/backends/filesystem/kind.ts';
import { Layout } from '../../objects/backends/filesystem/layout.ts';
import { pairOption, pairs, secretsOf } from '../backend-options.ts';
import { several } from '../object/run.ts';
import { openPlace } from './open-place.ts';
import type { Place } from './place.ts';

/** Flags that say where the other side of a transfer is. */
export interface PlaceFlags {
  readonly kind?: string;
  readonly set?: readonly string[];
  readonly secret?: readonly string[];
}

/** Adds the flags that say where the other side is, as `backend add` has them. */
export function withPlace(command: Command): Command {
  return command
    .option('--kind <kind>', 's3, webdav, rclone or filesystem')
    .option('--set <key=value>', 'a setting of that place; several times', pairOption)
    .option('--secret <key[=value]>', 'a secret of it; without a value from the environment or the input', several);
}

/** Opens the other side. Throws `invalid` for settings that can never work. */
export async function placeOf(kind: string, flags: PlaceFlags): Promise<Place> {
  const secrets = await secretsOf(flags.secret, process.env, process.stdin);
  return openPlace(kind, { config: pairs('--set', flags.set) ?? {}, secrets: secrets ?? {} });
}

/**
 * The directory that `--kind filesystem` means; `null` for another kind, and for a directory that a backend has laid out for
 * itself, where objects stand as it would write them.
 */
export async function plainDirectoryOf({ kind, set }: PlaceFlags): Promise<string | null> {
  if (kind !== 'filesystem') return null;
  const { config } = filesystemKind.validate({ config: pairs('--set', set) ?? {}, secrets: {} });
  if (config['expect_marker'] !== undefined) return null;
  const path = config['path']!;
  const isOfBackend = await stat(new Layout(path).marker).then(
    (found) => found.isFile(),
    () => false,
  );
  return isOfBackend ? null : path;
}
