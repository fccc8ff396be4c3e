import { HoldfastError } from '../kernel/errors/errors.ts';
import type { BucketSettings } from './bucket.ts';
import { objectError } from './errors.ts';

/** Storage classes: names that the operator gives to sets of labels; pure. */

/** The class of what nobody asked another one for: it stands wherever its bucket lets it. */
export const standardClass = 'STANDARD';

export interface StorageClass {
  readonly name: string;
  /** Labels that a backend must carry to hold what is in this class. */
  readonly labels: BucketSettings['requiredLabels'];
}

const classesMax = 20;
const nameForm = /^[A-Z][A-Z0-9_]{0,49}$/;

/**
 * The classes that a setting lists, warmest first, each as `NAME=label=value`; several labels are joined by `;`. Throws
 * `invalid` for what is not of this form, for a name that comes twice, and for `STANDARD`.
 */
export function parseStorageClasses(items: readonly string[]): readonly StorageClass[] {
  const classes = items.map(parseClass);
  const isTwice = new Set(classes.map(({ name }) => name)).size < classes.length;
  if (isTwice) throw new HoldfastError('invalid', 'Two storage classes have the same name.');
  if (classes.length > classesMax)
    throw new HoldfastError('invalid', `There are at most ${classesMax} storage classes.`);
  return classes;
}

function parseClass(item: string): StorageClass {
  const end = item.indexOf('=');
  const name = item.slice(0, Math.max(0, end));
  const labels: Record<string, string> = {};
  for (const pair of item.slice(end + 1).split(';')) {
    const at = pair.indexOf('=');
    const [label, value] = [pair.slice(0, Math.max(0, at)).trim(), pair.slice(at + 1).trim()];
    if (!nameForm.test(name) || label === '' || value === '') {
      const form = 'A storage class is NAME=label=value; its name is of capital letters, digits and underscores.';
      throw new HoldfastError('invalid', form, { value: item.slice(0, 200) });
    }
    labels[label] = value;
  }
  if (name === standardClass) throw new HoldfastError('invalid', `${standardClass} is whatever a bucket requires.`);
  return { name, labels };
}

/** Throws `InvalidStorageClass` for a class that there is not. */
export function requireStorageClass(classes: readonly StorageClass[], name: string): void {
  if (isClass(classes, name)) return;
  const known = [standardClass, ...classes.map((one) => one.name)].join(', ');
  throw objectError('InvalidStorageClass', { value: name.slice(0, 100) }, `There are the storage classes ${known}.`);
}

export function isClass(classes: readonly StorageClass[], name: string): boolean {
  return name === standardClass || classes.some((one) => one.name === name);
}

/** How far from the warmest a class is: 0 for `STANDARD`. One that is not known counts as warmest, so that nothing moves. */
export function coldnessOf(classes: readonly Pick<StorageClass, 'name'>[], name: string): number {
  return classes.findIndex((one) => one.name === name) + 1;
}

/**
 * What a bucket demands of what is in a class. The class decides about the labels that it names, and the bucket about all
 * others: a bucket that requires fast disks does so of what is in `STANDARD`.
 */
export function settingsIn<S extends Pick<BucketSettings, 'requiredLabels'>>(
  settings: S,
  classes: readonly StorageClass[],
  name: string,
): S {
  const found = classes.find((one) => one.name === name);
  return found === undefined
    ? settings
    : { ...settings, requiredLabels: { ...settings.requiredLabels, ...found.labels } };
}
