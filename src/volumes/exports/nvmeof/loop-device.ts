import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { growBacking, readBacking, requireBacking } from './backing.ts';
import type { BlockDevices, HeldDevice, Origin } from './block-device.ts';
import { lastWords, runProgram, systemEnv } from './program.ts';

/**
 * Binds a free loop device to a file and tells its name. While the shell has it open it is asked to be unbound, which the
 * kernel does when the last opener has closed it (loop(4), LO_FLAGS_AUTOCLEAR). So nothing is left when this process dies,
 * which ends the shell's input, and nothing when the namespace that opened it goes. No signal for a group of processes comes
 * between.
 */
const HOLD = `trap '' INT TERM HUP
device=$(losetup --find --show --direct-io=on --sector-size 512 "$1") || exit
exec 3<"$device" && losetup --detach "$device" && echo "$device" && read -r _`;
const LOOP = /^\/dev\/(?<name>loop\d{1,7})$/;
const DELETED = ' (deleted)';

/**
 * Files as loop devices. The kernel's target could serve a file itself, but in the blocks of its file system, so that what is
 * written by sectors of 512 bytes over another transport, such as a partition table, would be unreadable.
 */
export const loopDevices: BlockDevices<{ readonly kind: 'file'; readonly path: string }> = {
  async hold(_exportId, { path }, signal) {
    const { isDevice, identity } = await requireBacking(path);
    if (isDevice) return { path, identity, [Symbol.asyncDispose]: () => Promise.resolve() };
    return holdLoop(path, identity, signal);
  },

  async read(devicePath): Promise<Origin | null> {
    const name = LOOP.exec(devicePath)?.groups?.['name'];
    if (name === undefined) return null;
    const text = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => null);
    if (text === null) return null;
    return originOf(text.replace(/\n$/, ''));
  },

  async grow(devicePath, { path }, sizeBytes, signal) {
    await growBacking(path, sizeBytes);
    if (!LOOP.test(devicePath)) return;
    // Also when it had the size: an earlier call may have come no further than that.
    const done = await runProgram('losetup', ['--set-capacity', devicePath], { debianPackage: 'mount', signal });
    if (done.status === 0) return;
    throw new HoldfastError('backend', `The loop device did not take its new size: ${lastWords(done)}.`);
  },
};

/**
 * Of the path that the kernel tells, which it marks when another file, or none, has that path now. Names may end like the
 * mark. A path without it that leads nowhere was opened by a process that had other mounts, such as those of a container that
 * has ended.
 */
async function originOf(told: string): Promise<Origin> {
  const backing = await readBacking(told);
  if (backing === null && told.endsWith(DELETED)) {
    const path = told.slice(0, -DELETED.length);
    return { source: { kind: 'file', path }, identity: (await readBacking(path))?.identity ?? '' };
  }
  return { source: { kind: 'file', path: told }, identity: backing?.identity ?? null };
}

async function holdLoop(file: string, identity: string, signal: AbortSignal): Promise<HeldDevice> {
  const shell = spawn('/bin/sh', ['-c', HOLD, 'sh', file], { env: systemEnv, stdio: 'pipe' });
  const letGo = async (): Promise<void> => {
    const isThere = shell.exitCode === null && shell.signalCode === null;
    const end = isThere ? once(shell, 'close') : null;
    shell.stdin.end();
    await end;
  };
  try {
    return { path: await nameOf(shell, signal), identity, [Symbol.asyncDispose]: letGo };
  } catch (error) {
    // It is never killed: it ends with its input, when it has cleaned up.
    shell.stdin.end();
    throw error;
  }
}

function nameOf(shell: ChildProcessByStdio<Writable, Readable, Readable>, signal: AbortSignal): Promise<string> {
  const said = { stdout: '', stderr: '' };
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new HoldfastError('unavailable', 'No loop device was made in time.'));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    shell.stdin.on('error', () => undefined);
    shell.once('error', (error) => reject(new HoldfastError('unavailable', 'No shell could be run.', {}, error)));
    for (const name of ['stdout', 'stderr'] as const) {
      shell[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] = (said[name] + text).slice(0, 4_096);
        if (said.stdout.endsWith('\n')) resolve(said.stdout.trim());
      });
    }
    shell.once('close', (status) => {
      signal.removeEventListener('abort', onAbort);
      reject(problemOf(lastWords({ status: status ?? 1, ...said })));
    });
  });
}

function problemOf(words: string): HoldfastError {
  if (/not found|unused loop device/.test(words)) {
    const sentence = `There is no loop device for a file: ${words}. It takes root, the module loop, and losetup (util-linux).`;
    return new HoldfastError('unavailable', sentence, { reason: 'no_loop' });
  }
  return new HoldfastError('backend', `The file did not become a loop device: ${words}.`);
}
