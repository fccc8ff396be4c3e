import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ByteClient } from '../../client-bytes.ts';
import { fileTrouble } from '../disk-trouble.ts';
import { type GetWish, type Received, download } from './download.ts';

/**
 * Reads an object into a file that appears under its name only when it is whole, checked and on the disk. What is there
 * already is replaced; a device or a pipe is written into instead.
 */
export async function getFile(client: ByteClient, path: string, wish: GetWish): Promise<Received> {
  try {
    const existing = await stat(path).catch(() => null);
    const isFile = existing === null || existing.isFile() || existing.isDirectory();
    return await (isFile ? intoFile(client, path, wish) : intoDevice(client, path, wish));
  } catch (error) {
    throw fileTrouble(path, 'written', error);
  }
}

async function intoFile(client: ByteClient, path: string, wish: GetWish): Promise<Received> {
  // In the same directory, because only there is a rename one step; its own name cannot be too long.
  const temporary = join(dirname(path), `.holdfast-${randomUUID()}.part`);
  const handle = await open(temporary, 'wx');
  try {
    const received = await download(client, wish, (chunk) => writeAll(handle, chunk));
    await handle.sync();
    await rename(temporary, path);
    return received;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

async function intoDevice(client: ByteClient, path: string, wish: GetWish): Promise<Received> {
  const handle = await open(path, 'w');
  try {
    return await download(client, wish, (chunk) => writeAll(handle, chunk));
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, chunk: Buffer): Promise<void> {
  for (let offset = 0; offset < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, offset);
    offset += bytesWritten;
  }
}
