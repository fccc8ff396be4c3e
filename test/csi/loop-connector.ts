import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import type { ConnectionTarget, Connector, Link } from '../../src/csi/node/connector.ts';
import { attribute, entries } from '../../src/csi/node/sysfs.ts';
import { temporaryDirectory } from '../support/temp.ts';

const run = promisify(execFile);
const timeout = 20_000;

/**
 * Volumes of the file backend as loop devices of this machine: the real bytes, through a real device of the kernel. It stands
 * where NBD and NVMe/TCP stand on nodes, for machines whose kernel has neither.
 */
export class LoopConnector implements Connector {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async find({ volumeId }: ConnectionTarget): Promise<string | null> {
    const file = await this.#fileOf(volumeId);
    for (const name of await entries('/sys/block')) {
      if ((await attribute('/sys/block', name, 'loop', 'backing_file')) === file) return `/dev/${name}`;
    }
    return null;
  }

  async link(target: ConnectionTarget): Promise<Link> {
    return (await this.find(target)) === null ? 'lost' : 'live';
  }

  async connect(target: ConnectionTarget, note: (handle: { file: string }) => Promise<void>): Promise<string> {
    const file = await this.#fileOf(target.volumeId);
    await note({ file });
    const { stdout } = await run('losetup', ['-f', '--show', file], { timeout });
    return stdout.trim();
  }

  async disconnect(target: ConnectionTarget): Promise<void> {
    const device = await this.find(target);
    if (device !== null) await run('losetup', ['-d', device], { timeout });
  }

  async refresh(_target: ConnectionTarget, device: string): Promise<void> {
    await run('losetup', ['-c', device], { timeout });
  }

  async #fileOf(volume: string): Promise<string> {
    const { location } = await this.#client.call(contract.getVolume, { params: { volume } });
    return location!;
  }
}

/** `null` when loop devices can be made and mounted here; else one sentence. */
export async function mountsMissing(): Promise<string | null> {
  await using directory = await temporaryDirectory();
  const [file, path] = [join(directory.path, 'image'), join(directory.path, 'mount')];
  let device = '';
  try {
    await writeFile(file, Buffer.alloc(1_048_576));
    await mkdir(path);
    await run('mkfs.ext4', ['-q', '-F', file], { timeout });
    device = (await run('losetup', ['-f', '--show', file], { timeout })).stdout.trim();
    await run('mount', [device, path], { timeout });
    await run('umount', [path], { timeout });
    return null;
  } catch (error) {
    const why = (error as Error).message.split('\n')[0];
    return `loop devices cannot be mounted here (${why}); run as root, with e2fsprogs, xfsprogs, mount and util-linux`;
  } finally {
    if (device !== '') await run('losetup', ['-d', device], { timeout });
  }
}
