/** Collects one line at a time from pieces of a stream, holding at most its longest allowed length. */
export class LineReader {
  readonly #lengthMax: number;
  #held = '';

  /** `lengthMax` counts the line's end. */
  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  /**
   * Reads on at `offset`. Returns the line with its line feed, each character one byte; `null` when all of the piece was
   * taken and the line goes on; `undefined` when it is too long.
   */
  read(piece: Buffer, offset: number): string | null | undefined {
    const end = Math.min(piece.length, offset + this.#lengthMax - this.#held.length);
    for (let index = offset; index < end; index += 1) {
      if (piece[index] === 0x0a) {
        const line = this.#held + piece.toString('latin1', offset, index + 1);
        this.#held = '';
        return line;
      }
    }
    this.#held += piece.toString('latin1', offset, end);
    return this.#held.length < this.#lengthMax ? null : undefined;
  }

  /** How much of the line is held from earlier pieces. */
  get heldLength(): number {
    return this.#held.length;
  }
}
