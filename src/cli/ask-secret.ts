import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

/** Asks somebody at the terminal for something that must not be seen on it. Ctrl-C ends the process as it does elsewhere. */
export async function askSecret(question: string): Promise<string> {
  // The terminal would show each key that is pressed; this shows nothing at all, and then the question cannot come from it.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(question);
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  const control = new AbortController();
  terminal.once('SIGINT', () => control.abort());
  // The end of the input (Ctrl-D) is no answer.
  terminal.once('close', () => control.abort());
  try {
    return await terminal.question('', { signal: control.signal });
  } finally {
    const isEnded = control.signal.aborted;
    terminal.close();
    process.stderr.write('\n');
    if (isEnded) process.kill(process.pid, 'SIGINT');
  }
}
