/** CRC-64/NVME (NVM Express NVM Command Set 1.0, section 5.2.1.3.4), bits reflected. */
const polynomial = 0x9a6c_9329_ac4b_c9b5n;

/** Slicing by eight, as in `crc32c.ts`, with the low and the high half of each entry in an array of its own. */
const low = new Int32Array(8 * 256);
const high = new Int32Array(8 * 256);
fillTables();

function fillTables(): void {
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
    low[byte] = Number(BigInt.asIntN(32, crc));
    high[byte] = Number(BigInt.asIntN(32, crc >> 32n));
  }
  for (let index = 256; index < low.length; index += 1) {
    const previousLow = low[index - 256]!;
    const previousHigh = high[index - 256]!;
    low[index] = (previousLow >>> 8) ^ (previousHigh << 24) ^ low[previousLow & 0xff]!;
    high[index] = (previousHigh >>> 8) ^ high[previousLow & 0xff]!;
  }
}

/** A `Checksum`. JavaScript has no fast integer of 64 bits, so the state is two halves. */
export class Crc64Nvme {
  #low = -1;
  #high = -1;

  update(chunk: Uint8Array): void {
    if (chunk.length < 32) {
      this.#updateByBytes(chunk, 0, chunk.length);
      return;
    }
    const head = -chunk.byteOffset & 3;
    const words = new Int32Array(chunk.buffer, chunk.byteOffset + head, ((chunk.length - head) >>> 3) << 1);
    this.#updateByBytes(chunk, 0, head);
    this.#updateByWords(words);
    this.#updateByBytes(chunk, head + words.byteLength, chunk.length);
  }

  digest(): Buffer {
    const digest = Buffer.allocUnsafe(8);
    digest.writeInt32BE(~this.#high, 0);
    digest.writeInt32BE(~this.#low, 4);
    return digest;
  }

  #updateByBytes(bytes: Uint8Array, start: number, end: number): void {
    let stateLow = this.#low;
    let stateHigh = this.#high;
    for (let index = start; index < end; index += 1) {
      const entry = (stateLow ^ bytes[index]!) & 0xff;
      stateLow = (stateLow >>> 8) ^ (stateHigh << 24) ^ low[entry]!;
      stateHigh = (stateHigh >>> 8) ^ high[entry]!;
    }
    this.#low = stateLow;
    this.#high = stateHigh;
  }

  #updateByWords(words: Int32Array): void {
    let stateLow = this.#low;
    let stateHigh = this.#high;
    for (let index = 0; index + 1 < words.length; index += 2) {
      const a = words[index]! ^ stateLow;
      const b = words[index + 1]! ^ stateHigh;
      const e0 = 1792 + (a & 0xff);
      const e1 = 1536 + ((a >>> 8) & 0xff);
      const e2 = 1280 + ((a >>> 16) & 0xff);
      const e3 = 1024 + (a >>> 24);
      const e4 = 768 + (b & 0xff);
      const e5 = 512 + ((b >>> 8) & 0xff);
      const e6 = 256 + ((b >>> 16) & 0xff);
      const e7 = b >>> 24;
      stateLow = low[e0]! ^ low[e1]! ^ low[e2]! ^ low[e3]! ^ low[e4]! ^ low[e5]! ^ low[e6]! ^ low[e7]!;
      stateHigh = high[e0]! ^ high[e1]! ^ high[e2]! ^ high[e3]! ^ high[e4]! ^ high[e5]! ^ high[e6]! ^ high[e7]!;
    }
    this.#low = stateLow;
    this.#high = stateHigh;
  }
}
