import type { ExportCommand, ExportConnection } from '../target.ts';

export interface Endpoint {
  /** As clients reach it. */
  readonly host: string;
  readonly port: number;
  /** Of the key that clients need; `null` for none. */
  readonly identity: string | null;
}

/**
 * How clients reach an export.
 *
 * @see https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md
 */
export function connectionTo({ host, port, identity }: Endpoint, name: string, readOnly: boolean): ExportConnection {
  const address = host.includes(':') ? `[${host}]` : host;
  const uri =
    identity === null
      ? `nbd://${address}:${port}/${name}`
      : `nbds://${identity}@${address}:${port}/${name}?tls-psk-file=keys.psk`;
  return { uri, host, port, name, commands: commandsFor({ host, port, identity }, uri, name, readOnly) };
}

function commandsFor(
  { host, port, identity }: Endpoint,
  uri: string,
  name: string,
  readOnly: boolean,
): ExportCommand[] {
  const shared = [
    { purpose: 'inspect', command: `nbdinfo '${uri}'` },
    { purpose: 'copy out', command: `nbdcopy '${uri}' ${name}.img` },
    { purpose: 'mount as a file', command: `nbdfuse ${readOnly ? '-r ' : ''}mountpoint '${uri}'` },
  ];
  // The client of the kernel's driver offers certificates, but no keys.
  if (identity !== null) return shared;
  const flag = readOnly ? ' -readonly' : '';
  // Over netlink, its default, nbd-client 3.24 leaves no process behind, by whose command line the disk is known as the volume's.
  const how = `-name ${name}${flag} -nonetlink`;
  return [
    ...shared,
    { purpose: 'attach', command: `nbd-client ${host} ${port} /dev/nbd0 ${how}` },
    { purpose: 'detach', command: 'nbd-client -d /dev/nbd0' },
  ];
}
