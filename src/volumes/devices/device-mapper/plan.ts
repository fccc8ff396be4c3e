import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { MappedDevice, TableLine } from './listing.ts';
import { type LinkNames, linkNames, linkUuidPrefix } from './names.ts';

/** One step on a link, as data. `table` is a whole table in the form of `dmsetup create`. */
export type LinkStep =
  /** Fails when the name exists by then; that is never success, the plan is then made anew from what is read. */
  | {
      readonly kind: 'create';
      readonly name: string;
      readonly uuid: string;
      readonly table: string;
      readonly isReadOnly: boolean;
    }
  | { readonly kind: 'keep'; readonly name: string }
  /** Loads the table beside the live one; the `resume` that follows swaps it in, also under an open holder. */
  | { readonly kind: 'reload'; readonly name: string; readonly table: string; readonly isReadOnly: boolean }
  | { readonly kind: 'resume'; readonly name: string }
  /** Deferred, it goes when its last holder closes it. */
  | { readonly kind: 'remove'; readonly name: string; readonly isDeferred: boolean }
  | { readonly kind: 'refuse'; readonly reason: Refusal; readonly message: string };

export type Refusal = 'foreign_uuid' | 'other_name' | 'own_device' | 'device_taken' | 'open';

/** The device that a volume's link must point at, by the number that the kernel gave it now. */
export interface WantedLink {
  readonly volumeId: string;
  readonly majorMinor: string;
  readonly sizeBytes: bigint;
  /** Through the link of a read-only device nobody writes either, instead of failing at it later. */
  readonly isReadOnly: boolean;
}

type Refused = Extract<LinkStep, { readonly kind: 'refuse' }>;

const sectorBytes = 512n;

/**
 * The steps that make a volume's link point at its device, from what device-mapper holds now. A link is taken for ours only
 * by its device-mapper UUID, and as right only by its live table; its name proves neither. Throws `invalid` for a
 * size that is not of whole sectors, or a number that is none.
 */
export function planLink(wanted: WantedLink, listing: readonly MappedDevice[]): readonly LinkStep[] {
  const table = linearTable(wanted);
  const names = linkNames(wanted.volumeId);
  const existing = findLink(names, listing);
  if (existing !== null && 'kind' in existing) return [existing];
  if (existing?.majorMinor === wanted.majorMinor) {
    return [refuse('own_device', `${names.name} cannot point at itself (${wanted.majorMinor}).`)];
  }
  const holder = listing.find((each) => each.uuid !== names.uuid && isLinkTo(wanted.majorMinor, each));
  if (holder !== undefined) {
    return [refuse('device_taken', `${holder.name} still points at ${wanted.majorMinor}; it has to go first.`)];
  }
  const { name, uuid } = names;
  const { isReadOnly } = wanted;
  if (existing === null) return [{ kind: 'create', name, uuid, table, isReadOnly }];
  const isSame = existing.table.length === 1 && existing.table.map(textOf)[0] === table;
  const isRight = isSame && existing.isReadOnly === isReadOnly;
  if (isRight && !existing.isSuspended) return [{ kind: 'keep', name }];
  // A suspended link may hold a table that someone loaded and never swapped in: a bare resume would make that one live.
  return [
    { kind: 'reload', name, table, isReadOnly },
    { kind: 'resume', name },
  ];
}

/** The steps after which a link is gone; none when there is none. An open one is refused, or with `mayDefer` deferred. */
export function planTeardown(
  names: LinkNames,
  listing: readonly MappedDevice[],
  { mayDefer }: { readonly mayDefer: boolean },
): readonly LinkStep[] {
  const existing = findLink(names, listing);
  if (existing === null) return [];
  if ('kind' in existing) return [existing];
  const { name, openCount } = existing;
  if (openCount > 0 && !mayDefer) return [refuse('open', `${name} is open (${openCount}); it stays.`)];
  return [{ kind: 'remove', name, isDeferred: openCount > 0 }];
}

function findLink(names: LinkNames, listing: readonly MappedDevice[]): MappedDevice | Refused | null {
  const byName = listing.find(({ name }) => name === names.name);
  if (byName !== undefined && byName.uuid !== names.uuid) {
    const owner = byName.uuid === '' ? 'has no UUID' : `has the UUID ${byName.uuid}`;
    return refuse('foreign_uuid', `${names.name} exists but ${owner}, so it is not ours to change.`);
  }
  const byUuid = listing.find(({ uuid }) => uuid === names.uuid);
  if (byUuid !== undefined && byName === undefined) {
    return refuse('other_name', `The link of that volume is called ${byUuid.name} instead of ${names.name}.`);
  }
  return byName ?? null;
}

/** One of our links with any part on that device. */
function isLinkTo(majorMinor: string, device: MappedDevice): boolean {
  if (!device.uuid.startsWith(linkUuidPrefix)) return false;
  return device.table.some(({ args }) => args.split(' ').includes(majorMinor));
}

function linearTable({ majorMinor, sizeBytes }: WantedLink): string {
  if (!/^\d+:\d+$/.test(majorMinor) || sizeBytes <= 0n || sizeBytes % sectorBytes !== 0n) {
    const message = 'A link needs the major:minor of a device and a size in whole sectors of 512 bytes.';
    throw new HoldfastError('invalid', message, { major_minor: majorMinor, size_bytes: String(sizeBytes) });
  }
  const whole = { startSectors: 0n, lengthSectors: sizeBytes / sectorBytes, target: 'linear', args: `${majorMinor} 0` };
  return textOf(whole);
}

function textOf({ startSectors, lengthSectors, target, args }: TableLine): string {
  return `${startSectors} ${lengthSectors} ${target} ${args}`;
}

function refuse(reason: Refusal, message: string): Refused {
  return { kind: 'refuse', reason, message };
}
