import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';

const LINES_MAX = 20;
const LINE_CHARACTERS_MAX = 500;

/** What a child said last on its standard error, for people. */
export class LastWords {
  readonly #lines: string[] = [];

  constructor(output: Readable, log: (line: string) => void) {
    output.on('error', () => undefined);
    createInterface({ input: output }).on('line', (line) => {
      const shown = line.slice(0, LINE_CHARACTERS_MAX);
      this.#lines.push(shown);
      if (this.#lines.length > LINES_MAX) this.#lines.shift();
      log(shown);
    });
  }

  last(): string {
    return (this.#lines.at(-1) ?? 'it said nothing').replace(/\.$/, '');
  }
}
