import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { CreateImage } from '../backend.ts';
import { bigintIn, objectsIn, textIn } from './json.ts';
import type { Parameters } from './signing.ts';
import type { Session } from './session.ts';
import { GIB } from './sizes.ts';

/** What a create may say of a volume beyond the port: its disk offering, and its zone. */
export const createParameters: readonly string[] = ['disk_offering_id', 'zone_id'];

/** A snapshot to make the volume from, and the zone of the volume that it was taken of. */
interface Origin {
  readonly id: string;
  readonly zoneId: string | null;
}

/**
 * What `createVolume` is told of the origin, the offering and the zone. An offering that was asked for may have a fixed
 * size, which is then the only size that the volume can have; the one of the settings is of custom size.
 *
 * @throws HoldfastError `invalid` for an offering of another size, and for what a clone takes from its snapshot;
 *   CloudStack's refusal of an offering that it does not know
 */
export async function placingOf(
  session: Session,
  { parameters = {}, sizeBytes }: CreateImage,
  origin: Origin | null,
  signal: AbortSignal,
): Promise<Parameters> {
  const offeringId = idIn(parameters, 'disk_offering_id');
  const zoneId = idIn(parameters, 'zone_id');
  if (origin !== null) return placingOfClone(origin, offeringId, zoneId, session.zoneId);
  const zone = { zoneid: zoneId ?? session.zoneId };
  const size = { size: String(sizeBytes / GIB) };
  if (offeringId === null) return { ...zone, diskofferingid: session.diskOfferingId, ...size };
  const fixedBytes = await fixedSizeOf(session, offeringId, signal);
  if (fixedBytes === null) return { ...zone, diskofferingid: offeringId, ...size };
  if (fixedBytes !== sizeBytes) throw otherSize(offeringId, fixedBytes, sizeBytes);
  return { ...zone, diskofferingid: offeringId };
}

function placingOfClone(
  origin: Origin,
  offeringId: string | null,
  zoneId: string | null,
  homeZoneId: string,
): Parameters {
  if (offeringId !== null) {
    throw notForClones('disk_offering_id', offeringId, 'has the disk offering of its snapshot');
  }
  const own = origin.zoneId ?? homeZoneId;
  if (zoneId !== null && zoneId !== own)
    throw notForClones('zone_id', zoneId, `is made in its snapshot's zone (${own})`);
  return { zoneid: own, snapshotid: origin.id };
}

/** The size of an offering in bytes; `null` for one of custom size. */
async function fixedSizeOf(session: Session, id: string, signal: AbortSignal): Promise<bigint | null> {
  const answer = await session.client.call('listDiskOfferings', { id }, signal);
  const [offering] = objectsIn(answer, 'diskoffering');
  if (offering === undefined) {
    throw new HoldfastError('invalid', `CloudStack has no disk offering ${id}.`, {
      field: 'disk_offering_id',
      provided_value: id,
    });
  }
  return textIn(offering, 'iscustomized') === 'true' ? null : (bigintIn(offering, 'disksize') ?? 0n) * GIB;
}

function idIn(parameters: Parameters, field: string): string | null {
  const value = parameters[field];
  if (value === undefined) return null;
  if (/^[A-Za-z0-9-]{1,64}$/.test(value)) return value;
  throw new HoldfastError('invalid', `The ${field} is no id of CloudStack.`, {
    field,
    provided_value: value.slice(0, 200),
  });
}

function otherSize(offeringId: string, fixedBytes: bigint, sizeBytes: bigint): HoldfastError {
  const message = `Disk offering ${offeringId} has volumes of ${fixedBytes} bytes, not of ${sizeBytes}.`;
  return new HoldfastError('invalid', message, {
    field: 'size_bytes',
    provided_value: String(sizeBytes),
    allowed_values: [String(fixedBytes)],
  });
}

function notForClones(field: string, value: string, why: string): HoldfastError {
  return new HoldfastError('invalid', `A volume from a snapshot ${why}.`, { field, provided_value: value });
}
