/**
 * A real kernel for tests: Debian's, under QEMU without hardware virtualisation, booted in some seconds.
 *
 * `node test/support/guest/prepare.ts` fetches the kernel once (70 MB, into the temporary directory); `guestMissing()` says what
 * is not there. `await using guest = await bootGuest({ modules: ['nvmet-tcp'] })` then gives a machine with
 *
 * - the host's whole file system as its root, with a layer of memory above it: every program and file of the host is there
 *   under its own path, this checkout and its Node included, and nothing that the guest writes reaches the host. What the
 *   host changes after the boot is not seen reliably; give files through `input`, or write them in the guest;
 * - its own /dev, /proc, /sys, /sys/kernel/config and /run; root in it is root only there. No udev, no other services;
 * - the kernel's own module loading, `modprobe` included;
 * - `disks`, as /dev/vda and so on, whose bytes go with the guest, and the scratch file system {@link Guest.scratch} (ext4);
 * - a network to the host's loopback: 10.0.2.2 in the guest is 127.0.0.1 of the host.
 *
 * `run` wants success and gives stdout; `attempt` gives status, stdout and stderr; `start` gives a process to be killed;
 * `runNode` runs a TypeScript file of this project with the project's Node (starting takes it two seconds). All have deadlines.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { QmpConnection } from '../../../src/volumes/exports/nbd/qmp/connection.ts';
import type { QmpCommand } from '../../../src/volumes/exports/nbd/qmp/commands.ts';
import { until } from '../wait.ts';
import { type GuestKernel, type KernelLine, findKernel } from './kernel.ts';
import { type GuestProcess, GuestProcesses, type GuestResult, type StartOptions } from './processes.ts';

const BOOT_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;
const SCRATCH_BYTES = 512 * 1024 * 1024;
const checkout = join(import.meta.dirname, '../../..');
const programs: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  cpio: 'cpio',
  'mkfs.ext4': 'e2fsprogs',
  nvme: 'nvme-cli',
  'nbd-client': 'nbd-client',
  dmsetup: 'dmsetup',
};

/** `null` when guests can be booted here, else what to do for it. */
export function guestMissing(line: KernelLine = 'stock'): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const isThere = (program: string) => folders.some((folder) => folder !== '' && existsSync(join(folder, program)));
  const missing = Object.keys(programs).filter((program) => !isThere(program));
  if (missing.length > 0) {
    const packages = missing.map((program) => programs[program]).join(' ');
    return `${missing.join(', ')} not found; on Debian: apt-get install ${packages}`;
  }
  return findKernel(line) === null ? `no kernel for guests; run node test/support/guest/prepare.ts ${line}` : null;
}

export interface GuestOptions {
  /** `stock` by default. */
  readonly kernel?: KernelLine;
  /** Loaded at the start, with what they depend on. */
  readonly modules?: readonly string[];
  /** Empty disks, besides the scratch disk (serial `scratch`); these come first. */
  readonly disks?: readonly GuestDisk[];
  readonly memoryMiB?: number;
}

export interface GuestDisk {
  readonly sizeBytes: number;
  /** virtio keeps 20 bytes of it. */
  readonly serial?: string;
}

export interface Guest extends AsyncDisposable {
  /** A directory in the guest, on a disk file system of its own (ext4). */
  readonly scratch: string;
  /** Runs a program, or a text for `sh`, to its end, and gives what it printed. Rejects unless its status is 0. */
  run(command: string | readonly string[], options?: StartOptions): Promise<string>;
  /** The same, whatever its status. */
  attempt(command: string | readonly string[], options?: StartOptions): Promise<GuestResult>;
  start(command: string | readonly string[], options?: StartOptions): GuestProcess;
  /** Runs a file of this project (a path from its root, or an absolute one). Node's own options may come in `nodeArgs`. */
  runNode(script: string, args?: readonly string[], options?: NodeOptions): GuestProcess;
  /** A command of QEMU's monitor, such as `device_add`; disks go to the bus `pci.0`. */
  qmp(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** What the kernel and the first program have said. */
  console(): Promise<string>;
}

export interface NodeOptions extends StartOptions {
  readonly nodeArgs?: readonly string[];
}

/** @throws Error with the last lines of the console, when the guest is not there in time. */
export async function bootGuest(options: GuestOptions = {}): Promise<Guest> {
  const kernel = findKernel(options.kernel ?? 'stock');
  if (kernel === null) throw new Error(guestMissing(options.kernel) ?? 'no kernel for guests');
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-vm-'));
  const machine = new Machine(directory, kernel);
  try {
    await machine.boot(options);
    return machine;
  } catch (error) {
    const lines = (await machine.console()).trimEnd().split('\n').slice(-40).join('\n');
    await machine[Symbol.asyncDispose]();
    throw new Error(`The guest did not boot: ${String(error)}\n${lines}`, { cause: error });
  }
}

class Machine implements Guest {
  readonly scratch = '/scratch';
  readonly #directory: string;
  readonly #kernel: GuestKernel;
  readonly #onExit = (): void => void this.#qemu?.kill('SIGKILL');
  #qemu: ChildProcess | null = null;
  #processes: GuestProcesses | null = null;
  #monitor: QmpConnection | null = null;
  #node = '';

  constructor(directory: string, kernel: GuestKernel) {
    this.#directory = directory;
    this.#kernel = kernel;
  }

  async boot({ modules = [], disks = [], memoryMiB = 1024 }: GuestOptions): Promise<void> {
    const all = [...disks, { sizeBytes: SCRATCH_BYTES, serial: 'scratch' }];
    for (const [index, { sizeBytes }] of all.entries()) {
      await using file = await open(join(this.#directory, `disk${index}`), 'wx');
      await file.truncate(sizeBytes);
    }
    this.#node = await realpath(join(checkout, 'node_modules/.bin/node'));
    const qemu = this.#start(this.#arguments(all, memoryMiB));
    const path = join(this.#directory, 'agent');
    await until('the agent port of QEMU', () => existsSync(path) || ended(qemu));
    const socket = connect({ path });
    this.#processes = new GuestProcesses(socket);
    const late = AbortSignal.timeout(BOOT_TIMEOUT_MS);
    const tooLate = once(late, 'abort').then(() => Promise.reject(new Error('it did not start in time')));
    await Promise.race([this.#processes.ready, tooLate]);
    this.#monitor = await QmpConnection.open(join(this.#directory, 'qmp'), late);
    const load = modules.length === 0 ? '' : `modprobe -a ${modules.join(' ')} && `;
    const scratch = '$(grep -lx scratch /sys/block/*/serial | cut -d/ -f4)';
    await this.run(`${load}mkdir ${this.scratch} && d=/dev/${scratch} && mkfs.ext4 -q $d && mount $d ${this.scratch}`);
  }

  async run(command: string | readonly string[], options: StartOptions = {}): Promise<string> {
    const { status, signal, stdout, stderr } = await this.attempt(command, options);
    if (status === 0) return stdout;
    throw new Error(`${String(command)}: ended with ${status ?? signal}\n${stdout}${stderr}`);
  }

  attempt(command: string | readonly string[], options: StartOptions = {}): Promise<GuestResult> {
    return this.start(command, options).ended;
  }

  start(command: string | readonly string[], options: StartOptions = {}): GuestProcess {
    if (this.#processes === null) throw new Error('the guest does not run');
    return this.#processes.start(typeof command === 'string' ? ['sh', '-c', command] : command, options);
  }

  runNode(script: string, args: readonly string[] = [], { nodeArgs = [], ...options }: NodeOptions = {}): GuestProcess {
    const command = [this.#node, '--no-warnings', ...nodeArgs, script, ...args];
    const env = { NODE_COMPILE_CACHE: '/run/holdfast/node', ...options.env };
    return this.start(command, { timeoutMs: 60_000, cwd: checkout, ...options, env });
  }

  qmp(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.#monitor === null) throw new Error('the guest does not run');
    // A machine has more commands than the storage daemon, of which alone the connection knows the types.
    return this.#monitor.execute(command as QmpCommand, args as never, AbortSignal.timeout(COMMAND_TIMEOUT_MS));
  }

  console(): Promise<string> {
    return readFile(join(this.#directory, 'console'), 'utf8').catch(() => '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#monitor?.close();
    const qemu = this.#qemu;
    if (qemu !== null && !ended(qemu)) {
      const exit = once(qemu, 'exit', { signal: AbortSignal.timeout(STOP_TIMEOUT_MS) });
      qemu.kill('SIGKILL');
      await exit;
    }
    process.off('exit', this.#onExit);
    await rm(this.#directory, { recursive: true, force: true });
  }

  #start(args: readonly string[]): ChildProcess {
    // The kernel ends it even when the test process is killed hard.
    const qemu = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], { stdio: 'ignore' });
    process.on('exit', this.#onExit);
    this.#qemu = qemu;
    return qemu;
  }

  #arguments(disks: readonly GuestDisk[], memoryMiB: number): string[] {
    const at = (name: string): string => join(this.#directory, name);
    const facts = { modules: this.#kernel.modules, node: this.#node, agent: join(import.meta.dirname, 'agent.ts') };
    const words = Object.entries(facts).map(([name, value]) => `holdfast.${name}=${value}`);
    const device = (index: number, serial = '') => `virtio-blk-pci,drive=d${index}${serial && `,serial=${serial}`}`;
    const drive = (index: number) => `if=none,id=d${index},file=${at(`disk${index}`)},format=raw,cache=unsafe`;
    const pairs: readonly (readonly [option: string, value: string])[] = [
      ['-machine', 'pc'],
      ['-accel', 'tcg,thread=multi'],
      ['-cpu', 'max'],
      ['-smp', '2'],
      ['-m', String(memoryMiB)],
      ['-display', 'none'],
      ['-serial', `file:${at('console')}`],
      ['-kernel', this.#kernel.image],
      ['-initrd', this.#kernel.initramfs],
      ['-append', `console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off no_timer_check ${words.join(' ')}`],
      ['-fsdev', 'local,id=host,path=/,security_model=none,readonly=on,multidevs=remap'],
      ['-device', 'virtio-9p-pci,fsdev=host,mount_tag=host'],
      ['-netdev', 'user,id=net'],
      ['-device', 'virtio-net-pci,netdev=net,romfile='],
      ['-device', 'virtio-serial-pci'],
      ['-chardev', `socket,id=agent,path=${at('agent')},server=on,wait=off`],
      ['-device', 'virtserialport,chardev=agent,name=holdfast'],
      ['-qmp', `unix:${at('qmp')},server=on,wait=off`],
      ...disks.flatMap(({ serial }, index): [string, string][] => [
        ['-drive', drive(index)],
        ['-device', device(index, serial)],
      ]),
    ];
    return ['-nodefaults', '-no-reboot', ...pairs.flat()];
  }
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
