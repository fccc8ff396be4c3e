import { exitCodes } from './exit-codes.ts';
import { reasonOf } from './disk-trouble.ts';

/**
 * Ends the process when its output takes nothing more: quietly where the reader went away, as `| head` does, else with the
 * reason, so that a full disk is never taken for a success.
 */
export function endWithOutput(output: NodeJS.WriteStream): void {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`holdfast: The output cannot be written: ${reasonOf(error)}.\n`);
    process.exit(exitCodes.failed);
  });
}

/** Resolves when all that was written is out, or its failure was told. */
export async function outputWritten(output: NodeJS.WriteStream): Promise<void> {
  await new Promise<void>((resolve) => output.write('', () => resolve()));
  // The failure of a file is an event of its own, which comes after the one of the write.
  await new Promise<void>((resolve) => setImmediate(resolve));
}
