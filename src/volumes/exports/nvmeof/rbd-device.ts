import { existsSync } from 'node:fs';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { checkWholeSectors } from '../export-rules.ts';
import { checkGrowth } from './backing.ts';
import type { BlockDevices } from './block-device.ts';
import { type ProgramResult, lastWords, runProgram } from './program.ts';
import { type RbdSource, mapOptions } from './rbd-label.ts';
import { type MappedImage, rbdBus, readMapped, refresh } from './rbd-mapped.ts';

/** Errors of the kernel that `rbd` ends with. */
const ENOENT = 2;
const ENXIO = 6;

/** RBD images by the kernel's own client, which `rbd` of Ceph finds the monitors and the key for. */
export const rbdDevices: BlockDevices<RbdSource> = {
  async hold(exportId, source, signal) {
    const path = await map(exportId, source, signal);
    const { identity, sizeBytes } = await requireMapped(path, signal);
    checkWholeSectors(sizeBytes);
    // What stays mapped without being served is found by its label.
    return { path, identity, [Symbol.asyncDispose]: () => Promise.resolve() };
  },

  read: readMapped,

  async grow(path, source, sizeBytes, signal) {
    await refresh(path);
    const before = await requireMapped(path, signal);
    checkGrowth(before.sizeBytes, sizeBytes);
    if (sizeBytes === before.sizeBytes) return;
    const size = ['--size', `${sizeBytes}B`, '--no-progress'];
    const done = await rbd(source, ['resize', ...size, ...imageOf(source)], signal);
    if (done.status !== 0) throw problemOf('be grown', source, done);
    await refresh(path);
  },
};

async function map(exportId: string, source: RbdSource, signal: AbortSignal): Promise<string> {
  const options = mapOptions({ exportId, ...source });
  const attempt = (more: string): Promise<ProgramResult> =>
    rbd(source, ['device', 'map', '--options', options + more, ...imageOf(source)], signal);
  let done = await attempt('');
  // The kernel speaks the first version of Ceph's protocol unless told otherwise, and a cluster may have the second alone.
  if (done.status !== 0 && done.stderr.includes('ms_mode mismatch')) done = await attempt(',ms_mode=prefer-crc');
  if (done.status === 0) return done.stdout.trim();
  throw problemOf('be mapped', source, done);
}

async function requireMapped(path: string, signal: AbortSignal): Promise<MappedImage> {
  const mapped = await readMapped(path, signal);
  if (mapped !== null) return mapped;
  throw new HoldfastError('backend', `Nothing is mapped at ${path.slice(0, 100)} any more.`);
}

function rbd({ conf, user }: RbdSource, args: readonly string[], signal: AbortSignal): Promise<ProgramResult> {
  const account = user === undefined ? [] : ['--id', user];
  return runProgram('rbd', ['--conf', conf, ...account, ...args], { debianPackage: 'ceph-common', signal });
}

function imageOf({ pool, image }: RbdSource): readonly string[] {
  return ['--pool', pool, '--image', image];
}

function problemOf(what: string, { pool, image }: RbdSource, done: ProgramResult): HoldfastError {
  const words = lastWords(done);
  const details = { status: done.status, pool, image };
  if (!existsSync(rbdBus)) {
    const sentence = `The kernel's client of RBD is not there; load the module rbd. The program rbd says: ${words}.`;
    return new HoldfastError('unavailable', sentence, { ...details, reason: 'not_loaded' });
  }
  if (done.status === ENOENT) {
    return new HoldfastError('not_found', `The image of the export is not there: ${pool}/${image}.`, details);
  }
  const kind = done.status === ENXIO ? 'unsupported' : 'backend';
  return new HoldfastError(kind, `The image ${pool}/${image} cannot ${what}: ${words}.`, details);
}
