import type { ExportCommand, ExportConnection } from '../target.ts';

/** How long reads and writes wait for a server that is away before they fail. */
const RECONNECT_SECONDS = 300;

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
  const lasting = {
    purpose: 'attach over restarts',
    command: lastingAttach({ host, port, identity }, name, readOnly),
  };
  const lastingDetach = { purpose: 'detach', command: 'qemu-nbd --disconnect /dev/nbd0' };
  // nbd-client offers certificates, but no keys.
  if (identity !== null) return [...shared, lasting, lastingDetach];
  const flag = readOnly ? ' -readonly' : '';
  // Over netlink, its default, nbd-client 3.24 leaves no process behind, by whose command line the disk is known as the volume's.
  const how = `-name ${name}${flag} -nonetlink`;
  return [
    ...shared,
    { purpose: 'attach', command: `nbd-client ${host} ${port} /dev/nbd0 ${how}` },
    lasting,
    { purpose: 'detach', command: 'nbd-client -d /dev/nbd0' },
  ];
}

/**
 * The kernel's disk with a client behind it that waits for a server that is away, and connects again: reads and writes are
 * late, and do not fail. With nbd-client they fail at once, whatever its `-persist` and `-timeout` say: it ends when the
 * kernel has lost the connection, and over netlink it has ended before (measured with 3.24 on Linux 6.1).
 *
 * @see https://www.qemu.org/docs/master/tools/qemu-nbd.html, and `reconnect-delay` of BlockdevOptionsNbd in QEMU's QMP reference
 */
function lastingAttach({ host, port, identity }: Endpoint, name: string, readOnly: boolean): string {
  const key = 'tls-creds-psk,id=key,endpoint=client,dir=.';
  const [object, credentials] =
    identity === null ? ['', ''] : [` --object ${key},username=${identity}`, ',tls-creds=key'];
  const image = `driver=nbd,host=${host},port=${port},export=${name},reconnect-delay=${RECONNECT_SECONDS}${credentials}`;
  const flag = readOnly ? ' --read-only' : '';
  return `qemu-nbd --persistent --fork --connect=/dev/nbd0${flag}${object} --image-opts ${image}`;
}
