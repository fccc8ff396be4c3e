import { isAbsolute } from 'node:path';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { ExportCapabilities, ExportKey, ExportQos, ExportSource, ExportSpec } from './target.ts';

const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;
const IDENTITY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const KEY_HEX = /^(?:[0-9a-f]{2}){16,64}$/i;
/** The limit of NVMe (Base Specification 2.0, 4.7: NVMe Qualified Names). */
const NQN_CHARACTERS_MAX = 223;
const NQN = /^nqn\.[A-Za-z0-9.:_-]+$/;
const DHCHAP_KEY = /^DHHC-1:0[0-3]:[A-Za-z0-9+/]{40,100}={0,2}:$/;
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
  checkHosts(spec);
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

function checkHosts({ allowedHosts, dhchap }: ExportSpec): void {
  const isName = (nqn: string): boolean => nqn.length <= NQN_CHARACTERS_MAX && NQN.test(nqn);
  if (!allowedHosts.every(isName) || new Set(allowedHosts).size !== allowedHosts.length) {
    throw invalid('allowedHosts', 'The hosts of an export are NVMe Qualified Names, each named once.');
  }
  const keys = dhchap === undefined ? [] : [dhchap.key, dhchap.controllerKey ?? dhchap.key];
  // Not the key itself into the sentence.
  if (!keys.every((key) => DHCHAP_KEY.test(key))) {
    throw invalid('dhchap', 'A key of a host has the form "DHHC-1:00:…:", with base64 between the last colons.');
  }
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

/**
 * Refuses what this target cannot do.
 *
 * @throws HoldfastError `unsupported`, before anything is touched; `invalid` when no host is named where one must be.
 */
export function checkCapable(spec: ExportSpec, capabilities: ExportCapabilities): void {
  const asked: readonly (readonly [what: string, isAsked: boolean, can: boolean])[] = [
    ['read-only', spec.readOnly, capabilities.readOnly],
    ['with limits', Object.values(spec.qos).some((limit) => limit !== undefined), capabilities.qos],
    ['with a TLS key', spec.tls !== null, capabilities.tls],
    ['for named hosts', spec.allowedHosts.length > 0, capabilities.hosts],
    ['with keys of hosts', spec.dhchap !== undefined, capabilities.hosts],
    [`from a source of kind ${spec.source.kind}`, true, capabilities.sources.includes(spec.source.kind)],
  ];
  for (const [what, isAsked, can] of asked) {
    if (isAsked && !can) throw new HoldfastError('unsupported', `Nothing can be exported ${what} here.`, { what });
  }
  if (capabilities.hosts && spec.allowedHosts.length === 0) {
    throw invalid('allowedHosts', 'The hosts that may connect must be named; an export for nobody is of no use.');
  }
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
