import type { Correlation, Doubt } from './correlate.ts';
import { isCut } from './device-mapper/device-links.ts';
import type { MappedDevice } from './device-mapper/listing.ts';
import { type LinkNames, linkNames, linkUuidPrefix } from './device-mapper/names.ts';
import { planLink } from './device-mapper/plan.ts';
import { parseNbdExportName } from './nbd-export.ts';
import type { ObservedDevice } from './observe.ts';

export interface WantedVolume {
  readonly volumeId: string;
}

/** What is to be known for a decision, all of it read just now. */
export interface LinkScene {
  readonly wanted: readonly WantedVolume[];
  readonly devices: readonly ObservedDevice[];
  /** Of these devices. */
  readonly correlation: Correlation;
  /** Every device of device-mapper. */
  readonly mapped: readonly MappedDevice[];
}

/** What is to be done, in this order: what is dangerous ends first, and what goes makes room for what comes. */
export interface LinkActions {
  /** Links that lead to another's disk by now. Reads and writes through them must fail, whoever has them open. */
  readonly cut: readonly LinkNames[];
  /** Links that nobody wants or holds open. */
  readonly remove: readonly LinkNames[];
  /** Links that nobody wants, but somebody holds open. */
  readonly held: readonly MappedDevice[];
  readonly wanted: readonly WantedAction[];
}

export type WantedAction =
  | { readonly kind: 'keep'; readonly volumeId: string; readonly link: MappedDevice; readonly device: ObservedDevice }
  | { readonly kind: 'ensure'; readonly volumeId: string; readonly device: ObservedDevice }
  /** There is no device of the volume now. */
  | { readonly kind: 'wait'; readonly volumeId: string }
  | { readonly kind: 'doubt'; readonly volumeId: string; readonly message: string };

/** What has to be done so that each wanted volume with a device has its link, and no link leads to another's disk. */
export function reconcileLinks(scene: LinkScene): LinkActions {
  const { wanted, mapped } = scene;
  const links = mapped.filter(({ uuid }) => uuid.startsWith(linkUuidPrefix));
  const cut = links.filter((link) => !isCut(link) && leadsAstray(link, scene));
  const wantedUuids = new Set(wanted.map(({ volumeId }) => linkNames(volumeId).uuid));
  const unwanted = links.filter(({ uuid }) => !wantedUuids.has(uuid));
  return {
    cut: cut.map(({ name, uuid }) => ({ name, uuid })),
    remove: unwanted.filter(({ openCount }) => openCount === 0).map(({ name, uuid }) => ({ name, uuid })),
    held: unwanted.filter(({ openCount }) => openCount > 0),
    wanted: wanted.map(({ volumeId }) => actionFor(volumeId, scene)),
  };
}

function actionFor(volumeId: string, scene: LinkScene): WantedAction {
  const { correlation, mapped, devices } = scene;
  const link = mapped.find(({ uuid }) => uuid === linkNames(volumeId).uuid);
  const device = correlation.matches.find((match) => match.volumeId === volumeId)?.device;
  if (device === undefined) {
    const doubts = correlation.doubts.filter((doubt) => doubt.volumeIds.includes(volumeId));
    if (doubts.length > 0) return { kind: 'doubt', volumeId, message: doubts.map(({ message }) => message).join(' ') };
    const target = devices.find((each) => link !== undefined && isPointedAt(each, link));
    if (link === undefined || target === undefined || leadsAstray(link, scene)) return { kind: 'wait', volumeId };
    const message = `${link.name} leads to ${target.name}, of which it cannot be said whether it is ${volumeId}.`;
    return { kind: 'doubt', volumeId, message };
  }
  // A disk without a size is one that is just being connected, or has just been disconnected.
  if (device.sizeBytes === 0n) return { kind: 'wait', volumeId };
  const [first] = planLink({ ...device, volumeId }, mapped);
  if (first?.kind === 'keep' && link !== undefined) return { kind: 'keep', volumeId, link, device };
  return { kind: 'ensure', volumeId, device };
}

/**
 * Whether a link leads to a disk that is known to be something else than its volume. A disk of which nothing is known, and one
 * in doubt, leave it as it is: the kernel gives the number of a disk that is held to no other, and to cut a good
 * link off its writers is no small thing. NBD is the exception, since there another disk comes under the number
 * that is held: a device that does not prove to be the volume is taken for another.
 */
function leadsAstray(link: MappedDevice, { devices, correlation }: LinkScene): boolean {
  const targets = devices.filter((device) => isPointedAt(device, link));
  return targets.some((device) => {
    const match = correlation.matches.find((each) => each.device.majorMinor === device.majorMinor);
    if (match !== undefined) return !isLinkOf(match.volumeId, link);
    if (device.nbd !== null) return !isNbdOf(device, link, correlation.doubts);
    return false;
  });
}

function isPointedAt({ majorMinor }: ObservedDevice, { table }: MappedDevice): boolean {
  return table.some(({ args }) => args.split(' ').includes(majorMinor));
}

function isLinkOf(volumeId: string, link: LinkNames): boolean {
  return linkNames(volumeId).uuid === link.uuid;
}

/** By its own export's name, for what is not wanted any more is not among the volumes that are told apart. */
function isNbdOf(device: ObservedDevice, link: LinkNames, doubts: readonly Doubt[]): boolean {
  const named = parseNbdExportName(device.nbd?.exportName ?? '');
  if (named === null || !isLinkOf(named.volumeId, link)) return false;
  return !doubts.some(({ reason, devices }) => reason === 'other_generation' && devices.includes(device.name));
}
