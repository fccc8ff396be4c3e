import { HoldfastError } from '../../../kernel/errors/errors.ts';

/** One line of a live table. */
export interface TableLine {
  readonly startSectors: bigint;
  readonly lengthSectors: bigint;
  /** The kind of target, such as `linear` or `error`. */
  readonly target: string;
  readonly args: string;
}

/** One device of device-mapper as it is now. */
export interface MappedDevice {
  readonly name: string;
  /** Empty when it was made without one. */
  readonly uuid: string;
  readonly majorMinor: string;
  readonly openCount: number;
  readonly isSuspended: boolean;
  readonly isReadOnly: boolean;
  /** Empty when none is loaded. */
  readonly table: readonly TableLine[];
}

const mappedDevicesMax = 16_384;
const nothing = 'No devices found';

/**
 * Joins what `dmsetup info -c --noheadings --separator '|' -o name,uuid,major,minor,open,attr` and `dmsetup table` print
 * (dmsetup(8)). Throws `backend` for a line that it does not understand, or more lines than it holds: what is unknown
 * must not be taken for absent.
 */
export function parseListing(outputs: { readonly info: string; readonly table: string }): readonly MappedDevice[] {
  const tables = parseTables(outputs.table);
  return linesOf(outputs.info).map((line) => {
    const [name, uuid, major, minor, open, attr, ...rest] = line.split('|');
    const areNumbers = [major, minor, open].every((each) => /^\d+$/.test(each ?? ''));
    // Live, inactive, suspended, read-only or writable, each a letter or a hyphen.
    const state = /^[L-][I-]([s-])([rw])/.exec(attr ?? '');
    if (!name || uuid === undefined || state === null || rest.length > 0 || !areNumbers) {
      throw unreadable('info', line);
    }
    return {
      name,
      uuid,
      majorMinor: `${major}:${minor}`,
      openCount: Number(open),
      isSuspended: state[1] === 's',
      isReadOnly: state[2] === 'r',
      table: tables.get(name) ?? [],
    };
  });
}

/** Lines such as `vol-1: 0 131072 linear 1:0 0`; a device without a table has only its name, and the colon. */
function parseTables(output: string): Map<string, TableLine[]> {
  const tables = new Map<string, TableLine[]>();
  for (const line of linesOf(output)) {
    const parts = /^(\S+):(?: (\d+) (\d+) (\S+)(?: (.*))?)?$/.exec(line);
    if (parts === null) throw unreadable('table', line);
    const [, name = '', start, length, target, args] = parts;
    const table = tables.get(name) ?? [];
    tables.set(name, table);
    if (start === undefined || length === undefined || target === undefined) continue;
    table.push({ startSectors: BigInt(start), lengthSectors: BigInt(length), target, args: args ?? '' });
  }
  return tables;
}

function linesOf(output: string): string[] {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== nothing);
  if (lines.length <= mappedDevicesMax) return lines;
  throw new HoldfastError('backend', `dmsetup lists more than ${mappedDevicesMax} lines.`);
}

function unreadable(command: string, line: string): HoldfastError {
  return new HoldfastError('backend', `dmsetup ${command} gave a line that is not understood.`, {
    line: line.slice(0, 200),
  });
}
