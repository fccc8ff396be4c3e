import { type Command, InvalidArgumentError } from 'commander';
import { ByteClient } from '../../client-bytes.ts';
import { type Session, connect } from '../connection.ts';

const parallelMax = 64;

/** A command's surroundings, with the client of bytes, and the signal of an interruption. */
export interface ObjectSession extends Session {
  readonly bytes: ByteClient;
  readonly signal: AbortSignal;
}

/**
 * Runs a command that may take long. Ctrl-C ends it in order, so that nothing half is left behind, and then the process by
 * the same signal, as a shell wants to see it.
 */
export async function runObjectCommand(
  command: Command,
  body: (session: ObjectSession) => Promise<void>,
): Promise<void> {
  const session = connect(command.optsWithGlobals());
  const bytes = new ByteClient(session.client.options, parallelMax);
  const control = new AbortController();
  const ends = (['SIGINT', 'SIGTERM'] as const).map((name) => {
    const end = () => control.abort(new Interrupted(name));
    process.once(name, end);
    return () => process.removeListener(name, end);
  });
  try {
    await body({ ...session, bytes, signal: control.signal });
  } catch (error) {
    for (const end of ends) end();
    if (control.signal.aborted) process.kill(process.pid, (control.signal.reason as Interrupted).signalName);
    throw error;
  } finally {
    for (const end of ends) end();
    bytes.close();
  }
}

/** What an interruption is told as. */
class Interrupted extends Error {
  readonly signalName: NodeJS.Signals;

  constructor(signalName: NodeJS.Signals) {
    super(`interrupted by ${signalName}`);
    this.name = 'AbortError';
    this.signalName = signalName;
  }
}

/** Adds `--parallel`. */
export function withParallel(command: Command): Command {
  return command.option('--parallel <n>', `how many at once, to ${parallelMax}`, wholeNumber(1, parallelMax), 8);
}

/** A reader of an option that is a whole number within bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** A reader of an option that may be given several times. */
export function several(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}
