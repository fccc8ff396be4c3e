/** The end of a command's help: how it is used, a line for each way. */
export function examples(...lines: readonly string[]): string {
  return `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map((line) => `  holdfast ${line}`).join('\n')}`;
}
