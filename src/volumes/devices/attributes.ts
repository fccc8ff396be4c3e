import { closeSync, openSync, read } from 'node:fs';
import { join } from 'node:path';

/** The kernel gives at most a page for an attribute. */
const attributeBytesMax = 4_096;

/** Reads the attributes of one folder of sysfs. `null`: absent, unreadable or empty, or `signal` has aborted. */
export function attributesOf(folder: string, signal: AbortSignal) {
  const bytes = async (attribute: string): Promise<Buffer | null> => {
    if (signal.aborted) return null;
    try {
      return await readStart(join(folder, attribute));
    } catch {
      // A device can go between any two reads, and drivers answer with errors of many kinds for what a disk lacks.
      return null;
    }
  };
  const text = async (attribute: string): Promise<string | null> => {
    const found = (await bytes(attribute))?.toString('utf8').replaceAll('\0', '').trim();
    return found === undefined || found === '' ? null : found;
  };
  return { text, bytes };
}

async function readStart(path: string): Promise<Buffer> {
  // Only the read asks the driver, and through it perhaps a remote host, so only the read may take its time elsewhere.
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(attributeBytesMax);
    const length = await new Promise<number>((resolve, reject) => {
      read(descriptor, buffer, 0, attributeBytesMax, 0, (error, bytesRead) => {
        if (error) reject(error);
        else resolve(bytesRead);
      });
    });
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
