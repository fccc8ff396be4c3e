import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, linkSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { secretKeyBytes } from './secret-key.ts';

/** Far more than a key with white space around it. */
const fileBytesMax = 4_096;

/** The text of a key file, or `null` when there is none. Throws the system's error when it cannot be read. */
export function readKeyFile(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    // Reading a pipe or a device could wait for ever.
    if (!fstatSync(file).isFile()) throw new Error('it is not a regular file');
    const buffer = Buffer.alloc(fileBytesMax + 1);
    const length = readSync(file, buffer, 0, buffer.length, 0);
    if (length > fileBytesMax) throw new Error(`it has more than ${fileBytesMax} bytes`);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}

/**
 * Makes a key file that only this user can read, with a new key. When another process was faster its file stays, and the
 * caller reads that one. The file appears whole and durable or not at all: a key of which half is on the disk would lose
 * all that is sealed with it. Throws the system's error.
 */
export function makeKeyFile(path: string): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    const file = openSync(draft, 'wx', 0o600);
    try {
      writeSync(file, `${randomBytes(secretKeyBytes).toString('base64')}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkExclusively(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
  syncDirectory(directory);
}

/** A link fails where the name is taken, while a rename would replace the key of somebody else. */
function linkExclusively(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
