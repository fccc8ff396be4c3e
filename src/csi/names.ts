import { hash } from 'node:crypto';
import { CsiRefusal } from './status.ts';

/** The limit of CSI for every string (specification, "Size Limits"). */
const stringBytesMax = 128;
/** What CSI bans from names: control characters but for the usual white space. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const banned = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/;
/** What is a name of Holdfast as well, and neither looks like an id nor like a name that this file makes. */
const plain = /^(?!vol-|snap-|csi-)[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*$/;
const clonePrefix = 'csi-clone-';

/**
 * The name that a volume or snapshot has in Holdfast, for its name in CSI. Names that both know stay as they are; others
 * become a hash, so that two names never meet. The same name gives the same name always, and that is what makes creating
 * idempotent: Holdfast keeps names unique.
 *
 * @throws CsiRefusal `INVALID_ARGUMENT` for what CSI does not allow.
 */
export function holdfastName(csiName: string): string {
  if (csiName === '') throw new CsiRefusal('INVALID_ARGUMENT', 'The name is missing.');
  if (Buffer.byteLength(csiName) > stringBytesMax) {
    throw new CsiRefusal('INVALID_ARGUMENT', `The name has more than ${stringBytesMax} bytes.`);
  }
  if (banned.test(csiName)) throw new CsiRefusal('INVALID_ARGUMENT', 'The name has control characters.');
  return plain.test(csiName) ? csiName : `csi-${hash('sha256', csiName)}`;
}

/** The snapshot that stands between a volume and its clone while the clone is made. */
export function cloneSnapshotName(cloneName: string): string {
  return `${clonePrefix}${hash('sha256', cloneName)}`;
}

/** Whether a snapshot is one of {@link cloneSnapshotName}: it belongs to the driver and is shown to nobody. */
export function isCloneSnapshot(name: string): boolean {
  return name.startsWith(clonePrefix);
}
