import { HoldfastError } from '../../../kernel/errors/errors.ts';

export const GIB = 1024n ** 3n;
/** CloudStack counts bytes in a signed 64-bit number. */
const gibMax = ((1n << 63n) - 1n) / GIB;

/**
 * The size as CloudStack wants it: whole GiB. It is never rounded, since a volume of another size than was asked for is
 * another volume (rounded down, it would even be too small for its data).
 *
 * @throws HoldfastError `invalid`, with the two nearest sizes that are possible
 */
export function toGib(sizeBytes: bigint): string {
  const gib = sizeBytes / GIB;
  if (sizeBytes > 0n && sizeBytes % GIB === 0n && gib <= gibMax) return String(gib);
  const nearest = [gib, gib + 1n].filter((each) => each > 0n && each <= gibMax).map((each) => each * GIB);
  const message =
    nearest.length === 0
      ? `CloudStack has sizes of up to ${gibMax * GIB} bytes, not of ${sizeBytes}.`
      : `CloudStack has sizes of whole GiB only: ${sizeBytes} bytes are none; ${nearest.join(' or ')} bytes would be.`;
  throw new HoldfastError('invalid', message, {
    field: 'size_bytes',
    provided_value: String(sizeBytes),
    allowed_values: nearest.map(String),
  });
}
