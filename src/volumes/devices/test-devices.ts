import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ObservedDevice } from './observe.ts';

/** Puts one device into a tree of a test's own, whole at once as the kernel does. */
export async function writeDevice(
  sysBlock: string,
  name: string,
  attributes: Readonly<Record<string, string | Buffer>>,
): Promise<void> {
  const aside = `${sysBlock}.${name}`;
  for (const [attribute, value] of Object.entries({ ro: '0\n', ...attributes })) {
    const path = join(aside, attribute);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, value);
  }
  await rename(aside, join(sysBlock, name));
}

/** Takes one device out of such a tree, whole at once. */
export async function removeDevice(sysBlock: string, name: string): Promise<void> {
  const aside = `${sysBlock}.${name}.gone`;
  await rename(join(sysBlock, name), aside);
  await rm(aside, { recursive: true });
}

/** Gives an attribute another value without a moment in which it is empty. */
export async function changeAttribute(sysBlock: string, path: string, value: string): Promise<void> {
  const aside = `${sysBlock}.attribute`;
  await writeFile(aside, value);
  await rename(aside, join(sysBlock, path));
}

/** A device without an identity, but for what is given. */
export function device(given: Partial<ObservedDevice> & { readonly name: string }): ObservedDevice {
  return {
    majorMinor: '254:0',
    sizeBytes: 2n ** 30n,
    isReadOnly: false,
    diskSequence: null,
    serial: null,
    uuid: null,
    nguid: null,
    wwid: null,
    deviceMapper: null,
    nbd: null,
    ...given,
  };
}
