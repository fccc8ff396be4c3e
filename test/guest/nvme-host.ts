/** The kernel's own NVMe host, by the files that nvme-cli uses as well; runs inside a guest. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open, readFile, readdir, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { LiveExport } from '../../src/volumes/exports/target.ts';
import { until } from '../support/wait.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 20_000;
const BLOCK_BYTES = 65_536;

/** For `dd`. */
const one = [`bs=${BLOCK_BYTES}`, 'count=1', 'status=none'];

export const hostNqn = 'nqn.2014-08.org.nvmexpress:uuid:11111111-1111-4111-8111-111111111111';
export const otherHostNqn = 'nqn.2014-08.org.nvmexpress:uuid:22222222-2222-4222-8222-222222222222';

/** A connection of the host to one subsystem. */
export class NvmeDisk {
  readonly #nqn: string;
  /** Such as `/dev/nvme0n1`. */
  readonly path: string;

  private constructor(nqn: string, path: string) {
    this.#nqn = nqn;
    this.path = path;
  }

  /** Rejects when the target refuses. */
  static async connect({ connection }: LiveExport, host = hostNqn): Promise<NvmeDisk> {
    const { host: address, port, name } = connection;
    const at = `transport=tcp,traddr=${address},trsvcid=${port},nqn=${name}`;
    await using fabrics = await open('/dev/nvme-fabrics', 'r+');
    await fabrics.write(`${at},hostnqn=${host},hostid=${host.slice(-36)},nr_io_queues=1`);
    try {
      const device = await until(`the disk of ${name}`, () => diskOf(name), TIMEOUT_MS);
      return new NvmeDisk(name, `/dev/${device}`);
    } catch (error) {
      await disconnect(name);
      throw error;
    }
  }

  async write(byte: number, offset: number): Promise<void> {
    const to = [`of=${this.path}`, `seek=${offset}`, 'oflag=direct,seek_bytes', 'conv=notrunc,nocreat,fsync'];
    const writing = run('dd', [...to, 'iflag=fullblock', ...one], { timeout: TIMEOUT_MS });
    // It may have ended before it read anything.
    writing.child.stdin?.on('error', () => undefined);
    writing.child.stdin?.end(Buffer.alloc(BLOCK_BYTES, byte));
    await writing;
  }

  async reads(byte: number, offset: number): Promise<boolean> {
    const args = [`if=${this.path}`, `skip=${offset}`, 'iflag=direct,skip_bytes,fullblock', ...one];
    const { stdout } = await run('dd', args, { encoding: 'buffer', timeout: TIMEOUT_MS });
    assert.equal(stdout.length, BLOCK_BYTES);
    return stdout.every((each) => each === byte);
  }

  async sizeBytes(): Promise<bigint> {
    const name = this.path.replace('/dev/', '');
    return BigInt((await readFile(`/sys/block/${name}/size`, 'utf8')).trim()) * 512n;
  }

  async disconnect(): Promise<void> {
    await disconnect(this.#nqn);
  }
}

/** As `nvme disconnect` does, which crashes while other controllers come and go (nvme-cli 2.4). */
async function disconnect(nqn: string): Promise<void> {
  for (const controller of await readdir('/sys/class/nvme')) {
    const folder = `/sys/class/nvme/${controller}`;
    const name = await readFile(`${folder}/subsysnqn`, 'utf8').catch(() => '');
    if (name.trim() === nqn) await writeFile(`${folder}/delete_controller`, '1');
  }
}

/** The disk of the live controller of this subsystem, by its own attributes; names of devices are reused. */
async function diskOf(nqn: string): Promise<string | null> {
  for (const subsystem of await readdir('/sys/class/nvme-subsystem')) {
    const folder = `/sys/class/nvme-subsystem/${subsystem}`;
    const name = await readFile(`${folder}/subsysnqn`, 'utf8').catch(() => '');
    if (name.trim() !== nqn) continue;
    const disk = (await readdir(folder)).find((entry) => /^nvme\d+n\d+$/.test(entry));
    if (disk !== undefined) return disk;
  }
  return null;
}
