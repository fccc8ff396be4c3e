import type { Reader } from '../kernel/store/store.ts';
import { type Host, type HostTimes, judgeHost } from './host.ts';

interface HostRow {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly version: string;
  readonly capabilities: string;
  readonly session: string | null;
  readonly epoch: number;
  readonly created_at: number;
  readonly heartbeat_at: number;
  readonly silent_ms: number;
}

const hostsMax = 10_000;

/** A host by id or by name; `null` when there is none. */
export async function findHost(reader: Reader, reference: string, times: HostTimes): Promise<Host | null> {
  const [row] = await reader.rows<HostRow>(`${select(reader)} where id = ? or name = ? limit 1`, [
    reference,
    reference,
  ]);
  return row === undefined ? null : toHost(row, times);
}

/** Every host, by name. */
export async function listHosts(reader: Reader, times: HostTimes): Promise<Host[]> {
  const rows = await reader.rows<HostRow>(`${select(reader)} order by name limit ?`, [hostsMax]);
  return rows.map((row) => toHost(row, times));
}

/** What a host said of a section, with when; `null` when it never did. */
export interface Reported {
  readonly data: unknown;
  readonly reportedAtMs: number;
}

export async function findReport(reader: Reader, hostId: string, section: string): Promise<Reported | null> {
  const statement = 'select data, reported_at from host_reports where host_id = ? and section = ?';
  const [row] = await reader.rows<{ data: string; reported_at: number }>(statement, [hostId, section]);
  return row === undefined ? null : { data: JSON.parse(row.data) as unknown, reportedAtMs: row.reported_at };
}

function select({ fragments }: Reader): string {
  return `select id, name, address, version, capabilities, session, epoch, created_at, heartbeat_at,
    ${fragments.nowMs} - heartbeat_at as silent_ms from hosts`;
}

function toHost(row: HostRow, times: HostTimes): Host {
  return {
    id: row.id,
    name: row.name,
    address: row.address,
    version: row.version,
    capabilities: JSON.parse(row.capabilities) as Host['capabilities'],
    state: judgeHost(row.session !== null, row.silent_ms, times),
    epoch: row.epoch,
    createdAtMs: row.created_at,
    heartbeatAtMs: row.heartbeat_at,
    silentMs: Math.max(0, row.silent_ms),
  };
}
