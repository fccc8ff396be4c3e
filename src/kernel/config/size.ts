const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
/** The parts of a size: far more digits than any store has bytes for, and few enough to cost nothing. */
const pattern = /^(\d{1,30})(?:\.(\d{1,18}))?\s*([kKMGTPE]?)(i?)(B?)$/;

/**
 * A size such as `10GiB` (powers of 1024), `10G` (the same, as storage tools write it), `1.5GB` (powers of 1000) or
 * plain bytes, exact. Throws an `Error` with a sentence.
 */
export function parseSize(text: string): bigint {
  const match = pattern.exec(text.trim());
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  if (match === null) throw new Error(`"${shown}" is not a size such as 10GiB, 512MiB or 1GB.`);
  const [, whole = '0', fraction = '', letter = '', isBinary = '', hasB = ''] = match;
  if (isBinary !== '' && letter === '') throw new Error(`"${text}" has a unit that does not exist.`);
  const power = BigInt(' KMGTPE'.indexOf(letter.toUpperCase() || ' '));
  // A bare letter is binary: `10G` means 10 GiB to qemu, rbd and lvm alike.
  const base = isBinary !== '' || hasB === '' ? 1024n : 1000n;
  const scaled = BigInt(whole + fraction) * base ** power;
  const divisor = 10n ** BigInt(fraction.length);
  if (scaled % divisor !== 0n) throw new Error(`"${text}" is not a whole number of bytes.`);
  return scaled / divisor;
}

/** Bytes for people: at most one decimal, rounded down, in the largest binary unit; `B` below 1 KiB. */
export function formatSize(bytes: bigint): string {
  let unit = 0;
  while (unit < binary.length - 1 && bytes >= 1024n ** BigInt(unit + 1)) unit++;
  if (unit === 0) return `${bytes} B`;
  const tenths = (bytes * 10n) / 1024n ** BigInt(unit);
  const decimals = tenths % 10n === 0n ? '' : `.${tenths % 10n}`;
  return `${tenths / 10n}${decimals} ${binary[unit]}`;
}
