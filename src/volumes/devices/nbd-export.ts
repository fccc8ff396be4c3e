import { basename, join } from 'node:path';
import { attributesOf } from './attributes.ts';

/** What an export name of ours says. */
export interface NamedNbdExport {
  readonly volumeId: string;
  readonly generation: number;
}

/** What only an NBD device has. Its name and number stay when it is connected to something else. */
export interface ObservedNbd {
  /** Of the client that connected it; `null` when it is not connected. */
  readonly pid: number | null;
  /** The export to which it is connected, as far as that is known; see {@link readNbd}. */
  readonly exportName: string | null;
}

const cmdlineBytesMax = 4_096;

/** Reads the name under which Holdfast exports volumes over NBD, `<volume id>.g<generation>`; `null` for any other. */
export function parseNbdExportName(name: string): NamedNbdExport | null {
  const groups = /^(?<volumeId>[A-Za-z0-9_-]+)\.g(?<generation>\d{1,15})$/.exec(name)?.groups;
  return groups === undefined ? null : { volumeId: groups['volumeId'] ?? '', generation: Number(groups['generation']) };
}

/** Where an NBD device is to be read. */
interface NbdPlace {
  readonly folder: string;
  readonly name: string;
  /** The directory that is `/proc` on a live machine. */
  readonly proc: string;
}

/**
 * Reads to what an NBD device is connected. The protocol has no serial, so this is asked of who connected it:
 * - the `backend` attribute is what a client gave the kernel for good (Linux 5.14, `NBD_ATTR_BACKEND_IDENTIFIER`; the kernel
 *   refuses a reconnect under another one);
 * - without it, the command line of the process in `pid`, when that is an `nbd-client` or `qemu-nbd` that names this very
 *   device. It is there as long as the connection is when the client was started with `-nonetlink`; otherwise it ends at
 *   once, and its number may be that of any process by now, which is why the device has to be named.
 *
 * A name says what was asked for. Ours are given to nothing else, since volume id and generation are in them.
 */
export async function readNbd(place: NbdPlace, signal: AbortSignal): Promise<ObservedNbd> {
  const { text } = attributesOf(place.folder, signal);
  const pid = await text('pid');
  if (pid === null || !/^\d+$/.test(pid)) return { pid: null, exportName: null };
  const exportName = (await text('backend')) ?? (await nameFromProcess(place, pid, signal));
  // Another client may have connected it meanwhile, whose device this name is not.
  return { pid: Number(pid), exportName: (await text('pid')) === pid ? exportName : null };
}

async function nameFromProcess(place: NbdPlace, pid: string, signal: AbortSignal): Promise<string | null> {
  const cmdline = await attributesOf(join(place.proc, pid), signal).bytes('cmdline');
  // What fills the page may have been cut off.
  if (cmdline === null || cmdline.length >= cmdlineBytesMax) return null;
  return exportNameOf(cmdline.toString('utf8').split('\0'), `/dev/${place.name}`);
}

/** The name in the arguments of an `nbd-client` for that device (nbd-client(8)); `null` when in doubt. */
function exportNameOf(argv: readonly string[], device: string): string | null {
  const [program = '', ...args] = argv;
  if (basename(program) === 'qemu-nbd') return exportOfBridge(args, device);
  if (basename(program) !== 'nbd-client' || !args.includes(device)) return null;
  const names = args.flatMap((arg, at) => {
    const joined = /^--?name=(.+)$/.exec(arg)?.[1];
    if (joined !== undefined) return [joined];
    return /^(-N|--?name)$/.test(arg) ? [args[at + 1] ?? ''] : [];
  });
  const [name] = names;
  return names.length === 1 && name !== undefined && name !== '' ? name : null;
}

/** The same of a `qemu-nbd` that is itself a client: `--connect=/dev/nbd0 --image-opts driver=nbd,…,export=name,…`. */
function exportOfBridge(args: readonly string[], device: string): string | null {
  const at = args.indexOf('--image-opts');
  if (at === -1 || !args.includes(`--connect=${device}`)) return null;
  // A comma is doubled where it is part of a value, so what has one there is no name of ours.
  const options = (args[at + 1] ?? '').split(',');
  const names = options.filter((option) => option.startsWith('export='));
  return options[0] === 'driver=nbd' && names.length === 1 ? names[0]!.slice('export='.length) || null : null;
}
