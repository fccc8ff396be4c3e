import type { CapacityRange } from './messages.ts';
import { CsiRefusal } from './status.ts';

/** How large a volume is whose size nobody names. */
const sizeBytesDefault = 1_073_741_824n;
const mebibyte = 1_048_576n;
/** The largest size of Holdfast's that is in whole MiB; a larger one is none of any backend's. */
const sizeBytesMax = 9_223_372_036_854_775_807n - (mebibyte - 1n);

/** The bounds of a size; `null` for none. */
export interface Bounds {
  readonly requiredBytes: bigint | null;
  readonly limitBytes: bigint | null;
}

/** @throws CsiRefusal `INVALID_ARGUMENT` for negative sizes, `OUT_OF_RANGE` for a limit below what is required. */
export function boundsOf(range: CapacityRange | null): Bounds {
  const required = BigInt(range?.required_bytes ?? 0);
  const limit = BigInt(range?.limit_bytes ?? 0);
  if (required < 0n || limit < 0n) throw new CsiRefusal('INVALID_ARGUMENT', 'Sizes are not negative.');
  if (limit > 0n && limit < required) {
    throw new CsiRefusal('OUT_OF_RANGE', `The limit of ${limit} bytes is less than the required ${required} bytes.`);
  }
  return { requiredBytes: required === 0n ? null : required, limitBytes: limit === 0n ? null : limit };
}

/** Whether a volume of this size is what was asked for. */
export function isWithin(sizeBytes: bigint, { requiredBytes, limitBytes }: Bounds): boolean {
  return sizeBytes >= (requiredBytes ?? 0n) && (limitBytes === null || sizeBytes <= limitBytes);
}

/**
 * The size to make: what is required in whole MiB, or at least `floorBytes` (a source's size).
 *
 * @throws CsiRefusal `OUT_OF_RANGE` when it is more than there can be, or the limit leaves no such size.
 */
export function chooseSize({ requiredBytes, limitBytes }: Bounds, floorBytes: bigint | null): bigint {
  const least = largest(requiredBytes ?? 0n, floorBytes ?? 0n, mebibyte);
  const wanted = requiredBytes === null && floorBytes === null ? sizeBytesDefault : least;
  if (wanted > sizeBytesMax) throw new CsiRefusal('OUT_OF_RANGE', `Volumes have at most ${sizeBytesMax} bytes.`);
  const rounded = ((wanted + mebibyte - 1n) / mebibyte) * mebibyte;
  if (limitBytes === null || rounded <= limitBytes) return rounded;
  // The limit may lie below the default size, or between what is required and the next whole MiB.
  if (limitBytes >= least) return limitBytes;
  throw new CsiRefusal('OUT_OF_RANGE', `The limit of ${limitBytes} bytes is less than the least size, ${least} bytes.`);
}

function largest(...sizes: readonly bigint[]): bigint {
  return sizes.reduce((most, size) => (size > most ? size : most), 0n);
}
