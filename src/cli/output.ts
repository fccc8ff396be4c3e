import { stripVTControlCharacters, styleText } from 'node:util';

/** Where a command writes, so that tests can read it. */
export interface Output {
  readonly isTerminal: boolean;
  line(text?: string): void;
  /** A line that the next one replaces; only on a terminal. */
  live(text: string): void;
  error(text: string): void;
}

export function processOutput(): Output {
  const isTerminal = process.stdout.isTTY;
  let hasLive = false;
  const clear = () => {
    if (hasLive) process.stderr.write('\r\u001B[K');
    hasLive = false;
  };
  return {
    isTerminal,
    line: (text = '') => {
      clear();
      process.stdout.write(`${text}\n`);
    },
    live: (text) => {
      if (!process.stderr.isTTY) return;
      clear();
      process.stderr.write(text.slice(0, (process.stderr.columns || 80) - 1));
      hasLive = true;
    },
    error: (text) => {
      clear();
      process.stderr.write(`${text}\n`);
    },
  };
}

/** Columns for people, as wide as their widest cell. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = headers.map((header, column) =>
    Math.max(header.length, ...rows.map((row) => stripVTControlCharacters(row[column] ?? '').length)),
  );
  const format = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, widths[column]! - stripVTControlCharacters(cell).length)))
      .join('  ')
      .trimEnd();
  return [styleText('bold', format(headers)), ...rows.map(format)];
}

/** A state or status in the colour of its meaning. */
export function coloured(state: string): string {
  if (/fail|error|unhealthy|dead|lost/.test(state)) return styleText('red', state);
  if (/^(available|attached|completed|healthy|ok|alive|active)$/.test(state)) return styleText('green', state);
  if (/^(deleted|cancelled|removed|left)$/.test(state)) return styleText('gray', state);
  return styleText('yellow', state);
}

/** JSON for programs; integers beyond 2^53 stay exact. */
export function json(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? String(item) : item), 2);
}
