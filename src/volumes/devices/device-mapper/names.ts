import { hash } from 'node:crypto';

/** What a volume's persistent link is called in device-mapper. */
export interface LinkNames {
  /** The name below `/dev/mapper`. */
  readonly name: string;
  /** The device-mapper UUID, which says whose the link is whatever its name. */
  readonly uuid: string;
}

/** Begins the device-mapper UUID of every link that is ours, as `LVM-` does for LVM. */
export const linkUuidPrefix = 'HOLDFAST-';

/**
 * The names of a volume's link, of the whole id, so that two volumes never share one: `vol-` and a UUID stand as they are; any
 * other id is `vol.` and its SHA-256. Both keep to what device-mapper takes without escaping (`[A-Za-z0-9#+-.:=@_]`) and
 * stay far below its 127 characters for a name and 128 for a UUID (DM_NAME_LEN and DM_UUID_LEN in linux/dm-ioctl.h).
 */
export function linkNames(volumeId: string): LinkNames {
  const isPlain = /^vol-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(volumeId);
  const name = isPlain ? volumeId : `vol.${hash('sha256', volumeId)}`;
  return { name, uuid: `${linkUuidPrefix}${name}` };
}
