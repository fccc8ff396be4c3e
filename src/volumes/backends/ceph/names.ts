import { HoldfastError } from '../../../kernel/errors/errors.ts';

/**
 * Refuses names that mean something else to Ceph than to the caller: `/` and `@` separate pool, image and snapshot in
 * its tools, and a C string ends at the first NUL.
 *
 * @throws HoldfastError `invalid`
 */
export function checkNames(args: object): void {
  for (const [field, value] of Object.entries(args)) {
    if (field === 'params' || field === 'source') checkNames(value as object);
    else if (field === 'image' || field === 'snapshot') checkName(field, String(value));
    else if (field === 'images') for (const name of value as readonly unknown[]) checkName('image', String(name));
  }
}

function checkName(field: string, name: string): void {
  // oxlint-disable-next-line no-control-regex -- NUL is what is looked for.
  if (name !== '' && !/[/@\0]/.test(name)) return;
  throw new HoldfastError('invalid', `The ${field} name ${JSON.stringify(name)} is empty or has "/", "@" or NUL.`);
}
