import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { attributesOf } from './attributes.ts';
import { type ObservedNbd, readNbd } from './nbd-export.ts';
import { serialOfPage80 } from './page80.ts';

/** What the kernel says of one block device. Sources: the kernel's ABI/stable/sysfs-block and ABI/testing/sysfs-block. */
export interface ObservedDevice {
  /** The kernel's name below `/dev`, such as `vdb` or `cciss/c0d0`. It is reused, so it identifies nothing. */
  readonly name: string;
  /** `major:minor`, such as `254:16`; reused as the name is. */
  readonly majorMinor: string;
  readonly sizeBytes: bigint;
  readonly isReadOnly: boolean;
  /** The kernel's own number of this disk, never given twice between two boots; `null` before Linux 5.15. */
  readonly diskSequence: string | null;
  /** virtio's serial (at most 20 characters), a SCSI disk's unit serial number, or that of an NVMe controller. */
  readonly serial: string | null;
  /** The UUID of an NVMe namespace. A kernel without one shows the NGUID here, which `nguid` then equals. */
  readonly uuid: string | null;
  readonly nguid: string | null;
  /** The worldwide id in the kernel's form, such as `uuid.…`, `eui.…` or `naa.…`. */
  readonly wwid: string | null;
  /** Of a device-mapper device; `uuid` is empty when it was made without one. */
  readonly deviceMapper: { readonly name: string; readonly uuid: string } | null;
  readonly nbd: ObservedNbd | null;
}

export interface ObserveOptions {
  /** The directory that is `/sys/block` on a live machine. */
  readonly sysBlock: string;
  /** The directory that is `/proc` on a live machine, which is the default. */
  readonly proc?: string;
  /** More devices than this are an error, since a second bearer of a serial could be among those not read. */
  readonly devicesMax?: number;
}

const sectorBytes = 512n;
const readersAtOnce = 8;
const free = { serial: null, uuid: null, nguid: null, wwid: null, deviceMapper: null, nbd: null };

/**
 * Reads every visible block device, in the order of names. What vanishes while it is read, or gives its name to another
 * disk meanwhile, is left out. Throws `unavailable` when `sysBlock` cannot be listed, holds too many devices, or
 * `signal` aborts: an incomplete answer would look like devices that vanished.
 */
export async function observeDevices(options: ObserveOptions, signal: AbortSignal): Promise<readonly ObservedDevice[]> {
  const names = await listNames(options.sysBlock, options.devicesMax ?? 4_096);
  const found: ObservedDevice[] = [];
  const left = names.values();
  const reader = async (): Promise<void> => {
    for (const name of left) {
      if (signal.aborted) return;
      const device = await observeOne(name, options, signal);
      if (device !== null) found.push(device);
    }
  };
  await Promise.all(Array.from({ length: readersAtOnce }, reader));
  if (signal.aborted) throw new HoldfastError('unavailable', 'The block devices could not be read in time.');
  return found.sort((one, other) => (one.name < other.name ? -1 : 1));
}

async function listNames(sysBlock: string, devicesMax: number): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(sysBlock)) {
      names.push(name);
      if (names.length > devicesMax) break;
    }
  } catch (error) {
    throw new HoldfastError('unavailable', `The block devices in ${sysBlock} cannot be listed.`, {}, error);
  }
  if (names.length <= devicesMax) return names;
  throw new HoldfastError('unavailable', `There are more than ${devicesMax} block devices; none is trusted.`);
}

/** Reads one device by its kernel's name; `null` when it is not there. Throws `unavailable` when `signal` aborts. */
export async function observeDevice(
  name: string,
  options: ObserveOptions,
  signal: AbortSignal,
): Promise<ObservedDevice | null> {
  const device = await observeOne(name.replaceAll('/', '!'), options, signal);
  if (signal.aborted) throw new HoldfastError('unavailable', `The device ${name} could not be read in time.`);
  return device;
}

async function observeOne(
  fileName: string,
  options: ObserveOptions,
  signal: AbortSignal,
): Promise<ObservedDevice | null> {
  const folder = join(options.sysBlock, fileName);
  const { text, bytes } = attributesOf(folder, signal);
  const [majorMinor, diskSequence, sectors] = [await text('dev'), await text('diskseq'), await text('size')];
  if (majorMinor === null || !/^\d+:\d+$/.test(majorMinor) || sectors === null || !/^\d+$/.test(sectors)) return null;
  // The single paths below an NVMe multipath device are hidden; each bears the identity of the device that is used.
  if (fileName.startsWith('nvme') && (await text('hidden')) === '1') return null;
  const identity = /^nbd\d+$/.test(fileName)
    ? { nbd: await readNbd({ folder, name: fileName, proc: options.proc ?? '/proc' }, signal) }
    : await readIdentity(fileName, text, bytes);
  const device = {
    name: fileName.replaceAll('!', '/'),
    majorMinor,
    sizeBytes: BigInt(sectors) * sectorBytes,
    isReadOnly: (await text('ro')) === '1',
    diskSequence,
    ...free,
    ...identity,
  };
  // A name that was given to another disk meanwhile would join one disk's serial to the other's number and size.
  const isSame = diskSequence === null ? (await text('dev')) === majorMinor : (await text('diskseq')) === diskSequence;
  return isSame ? device : null;
}

type Identity = Partial<Pick<ObservedDevice, keyof typeof free>>;
type ReadText = (attribute: string) => Promise<string | null>;

/** The driver decides which attributes there are, and it is told by the name. */
async function readIdentity(
  fileName: string,
  text: ReadText,
  bytes: (attribute: string) => Promise<Buffer | null>,
): Promise<Identity> {
  if (/^dm-\d+$/.test(fileName)) {
    const name = await text('dm/name');
    return name === null ? {} : { deviceMapper: { name, uuid: (await text('dm/uuid')) ?? '' } };
  }
  if (fileName.startsWith('nvme')) {
    const [uuid, nguid, wwid] = [await text('uuid'), await text('nguid'), await text('wwid')];
    return { uuid, nguid, wwid, serial: await text('device/serial') };
  }
  if (/^sd[a-z]+$/.test(fileName)) {
    const serial = (await text('device/serial')) ?? serialOfPage80(await bytes('device/vpd_pg80'));
    return { serial, wwid: await text('device/wwid') };
  }
  return { serial: (await text('serial')) ?? (await text('device/serial')) };
}
