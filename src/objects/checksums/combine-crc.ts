import type { ChecksumAlgorithm } from '../object.ts';

export type CrcAlgorithm = Extract<ChecksumAlgorithm, `CRC${string}`>;

/** A polynomial over GF(2) of degree below 64, bits reflected; of degree below 32 all of it is in `low`. */
interface Polynomial {
  readonly high: number;
  readonly low: number;
}

interface Field {
  readonly bits: 32 | 64;
  readonly modulus: Polynomial;
  /** `powers[n]` is x^(8 · 2^n): what appending 2^n zero bytes multiplies by. */
  readonly powers: readonly Polynomial[];
}

const fields: Readonly<Record<CrcAlgorithm, Field>> = {
  CRC32: makeField(32, { high: 0, low: 0xedb88320 }),
  CRC32C: makeField(32, { high: 0, low: 0x82f63b78 }),
  CRC64NVME: makeField(64, { high: 0x9a6c9329, low: 0xac4bc9b5 }),
};

/**
 * The CRC of A followed by B, from the CRC of each and the length of B in bytes. A CRC is linear, so A's is moved by
 * `lengthB` zero bytes, a multiplication by x^(8 · lengthB) modulo the CRC's polynomial, and B's is added. The
 * complements at the start and the end of these CRCs cancel out. It is what zlib's `crc32_combine` does.
 */
export function combineCrc(algorithm: CrcAlgorithm, crcA: Buffer, crcB: Buffer, lengthB: number): Buffer {
  const field = fields[algorithm];
  let moved = fromDigest(crcA);
  let rest = lengthB;
  for (let exponent = 0; rest > 0; exponent += 1) {
    if (rest % 2 === 1) moved = multiply(field, moved, field.powers[exponent]!);
    rest = Math.floor(rest / 2);
  }
  const addend = fromDigest(crcB);
  return toDigest(field, { high: moved.high ^ addend.high, low: moved.low ^ addend.low });
}

function makeField(bits: 32 | 64, modulus: Polynomial): Field {
  // x^1, in reflected order: the bit below the highest.
  let power: Polynomial = bits === 32 ? { high: 0, low: 0x40000000 } : { high: 0x40000000, low: 0 };
  const bare: Field = { bits, modulus, powers: [] };
  for (let squarings = 0; squarings < 3; squarings += 1) power = multiply(bare, power, power);
  const powers: Polynomial[] = [];
  // As many as the bits of the largest safe integer.
  for (let exponent = 0; exponent < 53; exponent += 1) {
    powers.push(power);
    power = multiply(bare, power, power);
  }
  return { bits, modulus, powers };
}

/** The product modulo the field's polynomial: `b` is added for each power of x in `a`, and moved on by one each time. */
function multiply({ bits, modulus }: Field, a: Polynomial, b: Polynomial): Polynomial {
  let high = 0;
  let low = 0;
  let bHigh = b.high;
  let bLow = b.low;
  for (let bit = bits - 1; bit >= 0; bit -= 1) {
    const isSet = bit >= 32 ? (a.high >>> (bit - 32)) & 1 : (a.low >>> bit) & 1;
    if (isSet === 1) {
      high ^= bHigh;
      low ^= bLow;
    }
    const carry = bLow & 1;
    bLow = (bLow >>> 1) | (bHigh << 31);
    bHigh >>>= 1;
    if (carry === 1) {
      bHigh ^= modulus.high;
      bLow ^= modulus.low;
    }
  }
  return { high, low };
}

function fromDigest(digest: Buffer): Polynomial {
  return digest.length === 4
    ? { high: 0, low: digest.readInt32BE(0) }
    : { high: digest.readInt32BE(0), low: digest.readInt32BE(4) };
}

function toDigest({ bits }: Field, { high, low }: Polynomial): Buffer {
  const digest = Buffer.allocUnsafe(bits / 8);
  if (bits === 64) digest.writeInt32BE(high, 0);
  digest.writeInt32BE(low, digest.length - 4);
  return digest;
}
