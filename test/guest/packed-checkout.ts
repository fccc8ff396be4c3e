/**
 * This checkout in one file. A guest reads the host's files one by one over a slow wire, and a program of this size has two
 * thousand: what is unpacked in the guest's memory first starts three times as fast.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { Guest } from '../support/guest/guest.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { nodeArgs } from './node-args.ts';

const run = promisify(execFile);
const checkout = join(import.meta.dirname, '../..');
const bin = join(checkout, 'bin/holdfast.js');
const startTimeoutMs = 60_000;
/** Types, other forms of the same code, and native parts of backends that are not used. */
const unused = ['*.map', '*.d.ts', '*.d.mts', '*.d.cts', '*.md', '*.node', 'build/esm', 'build/esnext', 'koffi/src'];
/** What code was compiled to, kept by Node; a guest has the same Node at the same path. */
const cache = '/run/holdfast/node';

export interface PackedCheckout extends AsyncDisposable {
  /** Puts the files into a guest that was booted after this was made. */
  unpackIn(guest: Guest): Promise<void>;
}

export async function packCheckout(): Promise<PackedCheckout> {
  const directory = await temporaryDirectory('holdfast-pack-');
  const at = (name: string) => join(directory.path, name);
  const compiled = at('compiled');
  await mkdir(compiled);
  const data = ['--data-dir', at('data'), '--storage-backend', 'file'];
  await warmUp(compiled, ['serve', '--port', '0', '--s3-port', '0', ...data]);
  await warmUp(compiled, ['csi', '--mode', 'node', '--node-id', 'n', '--endpoint', `unix://${at('csi.sock')}`]);
  const modules = await realpath(join(checkout, 'node_modules'));
  const packages = [...(await withDependencies(modules, join(checkout, 'package.json')))];
  const own = ['bin', 'src', 'test', 'package.json'].map((name) => join(checkout, name));
  const files = [...own, ...packages.map((name) => join(modules, name))].map((path) => relative('/', path));
  const archive = at('files.tar');
  await run('tar', ['-C', '/', ...unused.map((name) => `--exclude=${name}`), '-cf', archive, ...files]);
  await run('tar', ['-C', compiled, '-cf', at('compiled.tar'), '.']);
  return {
    unpackIn: async (guest) => {
      const aside = '/run/holdfast/modules';
      const folders = ['bin', 'src', 'test'].map((name) => join(checkout, name));
      await guest.run(
        `set -e
        mkdir -p ${aside} ${cache}
        mount --bind ${modules} ${aside}
        for folder in ${[...folders, modules].join(' ')}; do mount -t tmpfs tmpfs $folder; done
        tar -C / -xf ${archive}
        tar -C ${cache} -xf ${at('compiled.tar')}
        cd ${aside}
        for name in * .bin; do [ -e ${modules}/$name ] || ln -s ${aside}/$name ${modules}/$name; done`,
        { timeoutMs: startTimeoutMs },
      );
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** Starts the program once on the host, so that Node keeps what it compiled. */
async function warmUp(compiled: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
  const child = spawn(process.execPath, [...nodeArgs, bin, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs);
  let said = '';
  let isAsked = false;
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString();
    // Asked twice it would end without keeping anything.
    if (isAsked || !/ready/.test(said)) return;
    isAsked = true;
    child.kill('SIGTERM');
  });
  const status = await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
  assert.equal(status, 0, args.join(' '));
}

/** The packages that a package needs at run time, with all that they need. */
async function withDependencies(modules: string, manifest: string, found = new Set<string>()): Promise<Set<string>> {
  const { dependencies = {} } = JSON.parse(await readFile(manifest, 'utf8')) as { dependencies?: object };
  for (const name of Object.keys(dependencies)) {
    const own = join(modules, name, 'package.json');
    if (found.has(name) || !existsSync(own)) continue;
    found.add(name);
    await withDependencies(modules, own, found);
  }
  return found;
}
