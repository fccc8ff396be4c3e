import type { Labels } from '../messages.ts';
import { CsiRefusal } from '../status.ts';

const limits = [
  'iops',
  'read_iops',
  'write_iops',
  'bytes_per_second',
  'read_bytes_per_second',
  'write_bytes_per_second',
] as const;
/** What is decided when a volume is made, and cannot be changed later. */
const fixed = ['backend', 'tls'] as const;
/** What the provisioner adds of the claim, when told to; it is kept with the volume for people. */
const provisionerPrefix = 'csi.storage.k8s.io/';

/** What a StorageClass says of its volumes. */
export interface VolumeParameters {
  /** `null`: the server's default. */
  readonly backend: string | null;
  readonly qos: Readonly<Record<string, number>>;
  readonly metadata: Labels;
}

/** @throws CsiRefusal `INVALID_ARGUMENT` for a parameter that is not known, and so would be ignored, or is wrong. */
export function parseParameters(parameters: Labels): VolumeParameters {
  const qos: Record<string, number> = {};
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    if (name === 'backend') continue;
    else if (name === 'tls') refuseTls(value);
    else if (name.startsWith(provisionerPrefix)) metadata[name] = value;
    else if ((limits as readonly string[]).includes(name)) qos[name] = limitOf(name, value);
    else {
      const known = [...fixed, ...limits].join(', ');
      throw new CsiRefusal('INVALID_ARGUMENT', `There is no parameter ${name.slice(0, 100)}; there are ${known}.`);
    }
  }
  return { backend: parameters['backend'] ?? null, qos, metadata };
}

/** The limits of a VolumeAttributesClass, which can be changed later. @throws CsiRefusal `INVALID_ARGUMENT` for anything else. */
export function parseMutableParameters(parameters: Labels): Readonly<Record<string, number>> {
  const { qos, metadata } = parseParameters(parameters);
  const named = [...fixed, ...Object.keys(metadata)].find((name) => Object.hasOwn(parameters, name));
  if (named === undefined) return qos;
  throw new CsiRefusal(
    'INVALID_ARGUMENT',
    `The parameter ${named} cannot be changed; these can: ${limits.join(', ')}.`,
  );
}

/**
 * Exports over NBD take TLS with a pre-shared key. The kernel's client has no TLS; nbd-client puts a process of its own
 * between, which knows certificates alone (nbd-client(8), "TLS SUPPORT") and would end with the node's container, beneath
 * what is mounted. A class that asks for it is refused when a volume is to be made, since a volume that nobody can use helps
 * nobody.
 */
function refuseTls(value: string): void {
  if (value === 'false') return;
  if (value !== 'true') throw new CsiRefusal('INVALID_ARGUMENT', 'The parameter tls is true or false.');
  const message =
    'Nodes cannot connect over TLS: exports take a pre-shared key, and the NBD client of Linux knows only certificates. Leave out the parameter tls, and give the nodes and the server a network of their own.';
  throw new CsiRefusal('INVALID_ARGUMENT', message);
}

function limitOf(name: string, value: string): number {
  if (/^[1-9]\d{0,11}$/.test(value)) return Number(value);
  throw new CsiRefusal('INVALID_ARGUMENT', `The parameter ${name} must be a whole number from 1 on.`);
}
