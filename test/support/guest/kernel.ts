import { hash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The kernel that guests boot, as {@link prepareKernel} of `prepare.ts` laid it out. */
export interface GuestKernel {
  /** As in `uname -r`. */
  readonly version: string;
  readonly image: string;
  readonly initramfs: string;
  /** The folder of this version's modules, with `modules.dep`. */
  readonly modules: string;
}

/** Debian's packages of kernels that guests can boot; each depends on the newest of its line. */
export const kernelPackages = {
  /** That of the release. */
  stock: 'linux-image-amd64',
  /** A newer line, whose NVMe target and host know DH-HMAC-CHAP (CONFIG_NVME_TARGET_AUTH, CONFIG_NVME_HOST_AUTH). */
  auth: 'linux-image-6.12-amd64',
} as const;
export type KernelLine = keyof typeof kernelPackages;

const PREFIX = 'holdfast-guest-';
/** What the initramfs is made by: another text, another initramfs. */
const makers = ['prepare.ts', 'init.sh'];

/** Where the kernel of this version is kept: in the folder `HOLDFAST_GUEST_DIR`, or beside other temporary files. */
export function kernelDirectory(line: KernelLine, version: string): string {
  return join(keptIn(), `${PREFIX}${line}-${version}-${makersDigest()}`);
}

/** The newest kernel of this line that was prepared on this machine by this user; `null` for none. */
export function findKernel(line: KernelLine): GuestKernel | null {
  const ours = (existsSync(keptIn()) ? readdirSync(keptIn()) : []).filter(
    (name) => name.startsWith(`${PREFIX}${line}-`) && name.endsWith(`-${makersDigest()}`),
  );
  const newestFirst = ours.toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return newestFirst.map((name) => kernelIn(join(keptIn(), name))).find((kernel) => kernel !== null) ?? null;
}

export function kernelIn(directory: string): GuestKernel | null {
  const image = join(directory, 'vmlinuz');
  const initramfs = join(directory, 'initramfs.gz');
  if (!existsSync(image) || !existsSync(initramfs)) return null;
  // Names in a temporary directory can be guessed; what another user put there is not booted.
  if (lstatSync(directory).uid !== process.getuid?.()) return null;
  const [version] = readdirSync(join(directory, 'lib/modules'));
  return version === undefined ? null : { version, image, initramfs, modules: join(directory, 'lib/modules', version) };
}

function keptIn(): string {
  return process.env['HOLDFAST_GUEST_DIR'] ?? tmpdir();
}

function makersDigest(): string {
  const texts = makers.map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'));
  return hash('sha256', texts.join('\0')).slice(0, 8);
}
