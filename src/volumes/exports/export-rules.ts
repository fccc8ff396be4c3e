import { isAbsolute } from 'node:path';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { ExportKey, ExportQos, ExportSource, ExportSpec } from './target.ts';

const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;
const IDENTITY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const KEY_HEX = /^(?:[0-9a-f]{2}){16,64}$/i;
/** What QEMU's throttling takes at most. */
const LIMIT_MAX = 1e15;

const limits: ReadonlySet<string> = new Set<keyof ExportQos>([
  'iops',
  'read_iops',
  'write_iops',
  'bytes_per_second',
  'read_bytes_per_second',
  'write_bytes_per_second',
]);

/** Both ends of what is served: clients address it in sectors of this many bytes. */
export const sectorBytes = 512n;

/** @throws HoldfastError `invalid`, before anything is touched. */
export function checkSpec(spec: ExportSpec): void {
  checkExportId(spec.exportId);
  checkId('volumeId', spec.volumeId);
  if (!Number.isSafeInteger(spec.generation) || spec.generation < 0) {
    throw invalid('generation', 'The generation of an export is a whole number, 0 or more.');
  }
  checkSource(spec.source);
  checkQos(spec.qos);
  if (spec.tls !== null) checkKey(spec.tls);
}

export function checkExportId(exportId: string): void {
  checkId('exportId', exportId);
}

function checkId(field: string, id: string): void {
  if (ID.test(id)) return;
  throw invalid(field, `The ${field} of an export consists of up to 100 letters, digits, "-" and "_".`);
}

function checkSource(source: ExportSource): void {
  const texts = source.kind === 'file' ? [source.path] : [source.conf, source.pool, source.image, source.user ?? '-'];
  for (const text of texts) {
    // A C string ends at the first NUL.
    if (text === '' || text.includes('\0') || text.length > 1000) {
      throw invalid('source', 'A part of the source of an export is empty, too long, or has a NUL in it.');
    }
  }
  const path = source.kind === 'file' ? source.path : source.conf;
  if (!isAbsolute(path)) throw invalid('source', 'The path of the source of an export must be absolute.');
  // Ceph takes these for the ends of a pool and of an image.
  if (source.kind === 'rbd' && /[/@]/.test(source.pool + source.image)) {
    throw invalid('source', 'The pool and the image of an export must have no "/" and no "@" in their names.');
  }
}

export function checkQos(qos: ExportQos): void {
  for (const [name, value] of Object.entries(qos)) {
    if (!limits.has(name)) throw invalid(name, 'An export has no limit of this name.');
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0 && value <= LIMIT_MAX)) {
      throw invalid(name, `The limit ${name} is a whole number from 1 to ${LIMIT_MAX}.`);
    }
  }
}

function checkKey({ identity, keyHex }: ExportKey): void {
  if (!IDENTITY.test(identity)) {
    throw invalid('tls', 'The identity of a key consists of up to 100 letters, digits, ".", "-" and "_".');
  }
  if (!KEY_HEX.test(keyHex)) throw invalid('tls', 'A key is 16 to 64 bytes in hexadecimal digits.');
}

function invalid(field: string, sentence: string): HoldfastError {
  return new HoldfastError('invalid', sentence, { field });
}

/** @throws HoldfastError `unsupported` when clients would see more bytes than there are. */
export function checkWholeSectors(sizeBytes: bigint): void {
  if (sizeBytes % sectorBytes === 0n && sizeBytes > 0n) return;
  const sentence = `An image of ${sizeBytes} bytes cannot be exported: it is no whole number of sectors of 512 bytes.`;
  throw new HoldfastError('unsupported', sentence, { size_bytes: String(sizeBytes) });
}

export function isSameSource(a: ExportSource, b: ExportSource): boolean {
  if (a.kind === 'file') return b.kind === 'file' && a.path === b.path;
  if (b.kind === 'file') return false;
  return a.conf === b.conf && a.pool === b.pool && a.image === b.image && a.user === b.user;
}

/** The image behind it, whoever opens it: two users of one cluster can mean the same one. */
export function isSameImage(a: ExportSource, b: ExportSource): boolean {
  if (a.kind === 'file' || b.kind === 'file') return isSameSource(a, b);
  return a.conf === b.conf && a.pool === b.pool && a.image === b.image;
}

export function isSameQos(a: ExportQos, b: ExportQos): boolean {
  return [...limits].every((name) => a[name as keyof ExportQos] === b[name as keyof ExportQos]);
}
