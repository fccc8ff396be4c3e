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
    else if (name.startsWith(provisionerPrefix)) metadata[name] = value;
    else if ((limits as readonly string[]).includes(name)) qos[name] = limitOf(name, value);
    else {
      const known = ['backend', ...limits].join(', ');
      throw new CsiRefusal('INVALID_ARGUMENT', `There is no parameter ${name.slice(0, 100)}; there are ${known}.`);
    }
  }
  return { backend: parameters['backend'] ?? null, qos, metadata };
}

/** The limits of a VolumeAttributesClass, which can be changed later. @throws CsiRefusal `INVALID_ARGUMENT` for anything else. */
export function parseMutableParameters(parameters: Labels): Readonly<Record<string, number>> {
  const { backend, qos, metadata } = parseParameters(parameters);
  const fixed = backend === null ? Object.keys(metadata)[0] : 'backend';
  if (fixed === undefined) return qos;
  throw new CsiRefusal(
    'INVALID_ARGUMENT',
    `The parameter ${fixed} cannot be changed; these can: ${limits.join(', ')}.`,
  );
}

function limitOf(name: string, value: string): number {
  if (/^[1-9]\d{0,11}$/.test(value)) return Number(value);
  throw new CsiRefusal('INVALID_ARGUMENT', `The parameter ${name} must be a whole number from 1 on.`);
}
