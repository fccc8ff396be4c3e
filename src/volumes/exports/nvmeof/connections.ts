import { readFile } from 'node:fs/promises';

const ESTABLISHED = '01';
const LINE = /^\s*\d+: [0-9A-F]+:(?<port>[0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} (?<state>[0-9A-F]{2}) /;

/**
 * How many TCP connections are established at this local port, whoever accepted them (proc(5), `/proc/net/tcp`).
 *
 * The kernel's target does not tell which hosts are connected: up to Linux 6.1 it says nothing at all, and later versions
 * only in debugfs, where it is built in. Its sockets are the kernel's own, but they are listed here. So each export has a
 * port for itself, and a connection at that port is a connection to that export. A host that lost its network counts as
 * connected until the keep-alive timeout, and does not count between two attempts to connect again.
 *
 * @throws Error when that cannot be read: nobody is thought absent for that.
 */
export async function connectionsAt(port: number): Promise<number> {
  const tables = [readFile('/proc/net/tcp', 'latin1'), readFile('/proc/net/tcp6', 'latin1').catch(withoutIpv6)];
  return (await Promise.all(tables)).reduce((sum, table) => sum + countEstablished(table, port), 0);
}

function withoutIpv6(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}

/** In one table of `/proc/net`. */
export function countEstablished(table: string, port: number): number {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').filter((line) => {
    const groups = LINE.exec(line)?.groups;
    return groups?.['port'] === wanted && groups['state'] === ESTABLISHED;
  }).length;
}
