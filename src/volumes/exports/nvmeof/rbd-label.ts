import type { ExportSource } from '../target.ts';

export type RbdSource = ExportSource & { readonly kind: 'rbd' };

/** Whose a mapped image is, and what of its source the kernel does not know by itself. */
export interface RbdLabel {
  readonly exportId: string;
  readonly conf: string;
  readonly user?: string;
}

const LABEL =
  /(?:^|,)crush_location=holdfast:(?<exportId>[A-Za-z0-9_-]+)\|conf:(?<conf>[A-Za-z0-9_-]+)(?:\|user:(?<user>[A-Za-z0-9_-]+))?(?:,|$)/;

/**
 * The options of a mapping (rbd(8), kernel rbd options). A client of its own for each image, so that fencing one cuts no
 * other; no waiting for udev, which need not run. The label stands where a client tells its place in the CRUSH map: that
 * counts only for reading from replicas, which is never asked for here, and the kernel gives it back as long as the mapping
 * lives.
 */
export function mapOptions({ exportId, conf, user }: RbdLabel): string {
  const words = [
    `holdfast:${exportId}`,
    `conf:${encode(conf)}`,
    ...(user === undefined ? [] : [`user:${encode(user)}`]),
  ];
  return `noshare,noudev,crush_location=${words.join('|')}`;
}

/**
 * The label of a mapping, from its `config_info` in sysfs, which is what was written to map it: monitors, options, pool, image,
 * snapshot (Documentation/ABI/testing/sysfs-bus-rbd). `null` for a mapping of somebody else.
 */
export function parseConfigInfo(text: string): RbdLabel | null {
  const options = text.split(' ')[1] ?? '';
  const groups = LABEL.exec(options)?.groups;
  if (groups === undefined) return null;
  const { exportId = '', conf = '', user } = groups;
  return { exportId, conf: decode(conf), ...(user === undefined ? {} : { user: decode(user) }) };
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function decode(text: string): string {
  return Buffer.from(text, 'base64url').toString();
}
