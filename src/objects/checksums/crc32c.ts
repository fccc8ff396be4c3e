/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), bits reflected. */
const polynomial = 0x82f63b78;

/**
 * `tables[256 * n + b]` is what byte `b` becomes after `n` further zero bytes, so that sixteen bytes are folded in at once,
 * each through a table of its own ("slicing by sixteen", after Kounavis and Berry).
 */
const tables: Int32Array = makeTables(16);

function makeTables(count: number): Int32Array {
  const made = new Int32Array(count * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    made[byte] = crc;
  }
  for (let index = 256; index < made.length; index += 1) {
    const previous = made[index - 256]!;
    made[index] = (previous >>> 8) ^ made[previous & 0xff]!;
  }
  return made;
}

function extendByBytes(crc: number, bytes: Uint8Array, start: number, end: number): number {
  let state = crc;
  for (let index = start; index < end; index += 1) state = (state >>> 8) ^ tables[(state ^ bytes[index]!) & 0xff]!;
  return state;
}

/** Folds whole groups of four words. Words are read in the machine's order, which is little-endian wherever Node runs. */
function extendByWords(crc: number, words: Int32Array): number {
  let state = crc;
  for (let index = 0; index + 3 < words.length; index += 4) {
    const a = words[index]! ^ state;
    const b = words[index + 1]!;
    const c = words[index + 2]!;
    const d = words[index + 3]!;
    state =
      tables[3840 + (a & 0xff)]! ^
      tables[3584 + ((a >>> 8) & 0xff)]! ^
      tables[3328 + ((a >>> 16) & 0xff)]! ^
      tables[3072 + (a >>> 24)]! ^
      tables[2816 + (b & 0xff)]! ^
      tables[2560 + ((b >>> 8) & 0xff)]! ^
      tables[2304 + ((b >>> 16) & 0xff)]! ^
      tables[2048 + (b >>> 24)]! ^
      tables[1792 + (c & 0xff)]! ^
      tables[1536 + ((c >>> 8) & 0xff)]! ^
      tables[1280 + ((c >>> 16) & 0xff)]! ^
      tables[1024 + (c >>> 24)]! ^
      tables[768 + (d & 0xff)]! ^
      tables[512 + ((d >>> 8) & 0xff)]! ^
      tables[256 + ((d >>> 16) & 0xff)]! ^
      tables[d >>> 24]!;
  }
  return state;
}

/** The CRC-32C of `chunk`, or of what had `value` followed by `chunk`: an unsigned integer, as `zlib.crc32` gives. */
export function crc32c(chunk: Uint8Array, value = 0): number {
  // Shorter ones may have no aligned word inside.
  if (chunk.length < 32) return ~extendByBytes(~value, chunk, 0, chunk.length) >>> 0;
  const head = -chunk.byteOffset & 3;
  const words = new Int32Array(chunk.buffer, chunk.byteOffset + head, ((chunk.length - head) >>> 4) << 2);
  let state = extendByBytes(~value, chunk, 0, head);
  state = extendByWords(state, words);
  state = extendByBytes(state, chunk, head + words.byteLength, chunk.length);
  return ~state >>> 0;
}
