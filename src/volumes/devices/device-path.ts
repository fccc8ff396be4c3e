import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { ObservedDevice } from './observe.ts';

/**
 * The device that a path names: `/dev/vdb`, and since a path in a URL comes with or without its first parts, `dev/vdb` and
 * `vdb` as well; `/dev/mapper/NAME` for a device-mapper name. `path` has been decoded once, as HTTP servers do with
 * `%2F`. `null` when there is no such device now; throws `invalid` when it cannot be a path of a device.
 */
export function findDevice(path: string, devices: readonly ObservedDevice[]): ObservedDevice | null {
  const name = path.replace(/^\/?(dev\/)?/, '');
  const parts = name.split('/');
  if (path.length > 255 || path.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new HoldfastError('invalid', 'That is not the path of a device, such as /dev/vdb.', { field: 'path' });
  }
  if (parts[0] === 'mapper' && parts.length === 2) {
    return devices.find(({ deviceMapper }) => deviceMapper !== null && deviceMapper.name === parts[1]) ?? null;
  }
  return devices.find((device) => device.name === name) ?? null;
}
