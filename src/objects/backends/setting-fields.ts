import { HoldfastError } from '../../kernel/errors/errors.ts';

/** A setting that is a whole number from `min` to `max`. Throws `invalid`. */
export function numberOf(config: Readonly<Record<string, string>>, field: string, min: number, max: number): number {
  const text = config[field] ?? '';
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw wrongSetting(field, `It must be a whole number from ${min} to ${max}.`);
}

/** The value is not repeated: it may be a secret in the wrong field. */
export function wrongSetting(field: string, why: string): HoldfastError {
  return new HoldfastError('invalid', `The setting ${field} is wrong: ${why}`, { field });
}
