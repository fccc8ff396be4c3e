import { HoldfastError } from '../errors/errors.ts';
import { nearest } from './nearest.ts';

/** Environment variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const prefix = 'HOLDFAST_';

/** A variable's text. An empty one is how compose files and shells say "not set". */
export function textIn(env: Environment, name: string): string | undefined {
  const text = env[name];
  return text === '' ? undefined : text;
}

/** Throws `invalid` for a variable that has our prefix and that nothing reads: a misspelt setting must not pass silently. */
export function refuseUnknown(env: Environment, known: readonly string[]): void {
  for (const name of Object.keys(env)) {
    if (!name.startsWith(prefix) || known.includes(name)) continue;
    const meant = nearest(name, known);
    const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
    const message = `There is no setting for the environment variable ${name}.${hint}`;
    throw new HoldfastError('invalid', message, { field: name });
  }
}
