import { createInterface } from 'node:readline/promises';
import { HoldfastError } from '../kernel/errors/errors.ts';

/**
 * Asks before something that cannot be taken back; `isSure` is `--yes`. Throws `invalid` when the answer is not yes, and
 * when there is nobody to ask.
 */
export async function confirm(question: string, isSure: boolean): Promise<void> {
  if (isSure) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new HoldfastError('invalid', `${question} Nobody is here to answer: give --yes.`, { field: '--yes' });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // Ctrl-C and Ctrl-D are a no.
    const answer = await terminal.question(`${question} [y/N] `).catch(() => {
      process.stderr.write('\n');
      return '';
    });
    if (/^y(es)?$/i.test(answer.trim())) return;
    throw new HoldfastError('invalid', 'Nothing was done.');
  } finally {
    terminal.close();
  }
}
