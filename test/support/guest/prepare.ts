/**
 * `node test/support/guest/prepare.ts [stock] [auth]`: fetches Debian's kernel packages of these lines (see `kernel.ts`; `stock`
 * when none is named), and lays out what guests boot of them. Nothing is installed; the host's own boot files stay as they
 * are. `apt-get update` must have been run.
 */
import { execFile, spawn } from 'node:child_process';
import { chmod, copyFile, glob, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type KernelLine, kernelDirectory, kernelIn, kernelPackages } from './kernel.ts';

const run = promisify(execFile);
const STEP_TIMEOUT_MS = 180_000;

/** What is left out of the package: drivers of hardware that a guest does not have, and most of it. */
const unwanted = ['sound', ...['gpu', 'media', 'infiniband', 'usb', 'iio', 'staging'].map((name) => `drivers/${name}`)];
/** What a guest needs before it sees the host's files, in this order; each comes with what it depends on. */
const early = ['virtio_pci', 'virtio_console', '9pnet_virtio', '9p', 'overlay', 'virtio_net', 'virtio_blk', 'configfs'];

const options = { timeout: STEP_TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
const lines = process.argv.slice(2);
for (const line of lines.length === 0 ? ['stock'] : lines) {
  if (!Object.hasOwn(kernelPackages, line)) throw new Error(`${line} is no line of kernels that is known here`);
  console.log(await prepareLine(line as KernelLine));
}

/** Gives the folder of the newest kernel of the line. */
async function prepareLine(line: KernelLine): Promise<string> {
  const name = kernelPackages[line];
  const { stdout: depends } = await run('apt-cache', ['depends', name], options);
  const version = /Depends: linux-image-(\S+)/.exec(depends)?.[1];
  if (version === undefined) throw new Error(`apt knows no ${name}; run apt-get update first`);
  const directory = kernelDirectory(line, version);
  if (kernelIn(directory) === null) await prepareKernel(version, directory);
  return directory;
}

async function prepareKernel(release: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const part = await mkdtemp(`${target}.`);
  const work = `${part}.part`;
  await rename(part, work);
  try {
    await run('apt-get', ['download', `linux-image-${release}`], { ...options, cwd: work });
    const [archive] = (await readdir(work)).filter((name) => name.endsWith('.deb'));
    const tree = `./lib/modules/${release}`;
    const left = unwanted.map((folder) => `--exclude=${tree}/kernel/${folder}`).join(' ');
    const unpack = `dpkg-deb --fsys-tarfile ${archive} | tar -x ${left} ./boot/vmlinuz-${release} ${tree}`;
    await run('sh', ['-c', `${unpack} && rm ${archive}`], { ...options, cwd: work });
    // Newer packages have them compressed, which a guest would take apart slowly, one by one.
    await run('sh', ['-c', `find ${tree} -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P 2 xz -d`], {
      ...options,
      cwd: work,
    });
    await run('busybox', ['depmod', '-b', work, release], options);
    await rename(join(work, `boot/vmlinuz-${release}`), join(work, 'vmlinuz'));
    await makeInitramfs(work, join(work, `lib/modules/${release}`));
    await rename(work, target).catch(async (error: unknown) => {
      // Somebody else was quicker.
      if (kernelIn(target) === null) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Files of modules by name, and what each depends on, from `modules.dep` (modules.dep(5)). */
async function withDependencies(modules: string, names: readonly string[]): Promise<string[]> {
  const byName = new Map<string, readonly string[]>();
  for (const line of (await readFile(join(modules, 'modules.dep'), 'utf8')).split('\n')) {
    const files = line.replace(':', '').split(' ').filter(Boolean);
    if (files[0] !== undefined) byName.set(nameOf(files[0]), files);
  }
  const ordered = new Set<string>();
  const add = (name: string): void => {
    const [own, ...others] = byName.get(name) ?? [];
    // What is built into the kernel has no file.
    if (own === undefined || ordered.has(own)) return;
    for (const other of others) add(nameOf(other));
    ordered.add(own);
  };
  for (const name of names) add(nameOf(name));
  return [...ordered];
}

function nameOf(file: string): string {
  return basename(file, '.ko').replaceAll('-', '_');
}

async function makeInitramfs(work: string, modules: string): Promise<void> {
  const root = join(work, 'initramfs');
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'lib']) await mkdir(join(root, folder), { recursive: true });
  const { stdout } = await run('sh', ['-c', 'command -v busybox'], options);
  await copyFile(stdout.trim(), join(root, 'bin/busybox'));
  const files = await withDependencies(modules, early);
  for (const file of files) await copyFile(join(modules, file), join(root, 'lib', basename(file)));
  await writeFile(join(root, 'modules'), `${files.map((file) => basename(file)).join('\n')}\n`);
  await copyFile(join(import.meta.dirname, 'init.sh'), join(root, 'init'));
  await chmod(join(root, 'init'), 0o755);
  const entries: string[] = [];
  for await (const entry of glob('**', { cwd: root })) entries.push(entry);
  const packing = 'cpio --quiet -o -H newc -R 0:0 | gzip -1 > ../initramfs.gz';
  const child = spawn('bash', ['-o', 'pipefail', '-c', packing], { cwd: root, stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.end(`${entries.join('\n')}\n`);
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error(`cpio ended with ${String(status)}`);
  await rm(root, { recursive: true, force: true });
}
