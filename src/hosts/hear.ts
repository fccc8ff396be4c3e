import { HoldfastError } from '../kernel/errors/errors.ts';
import type { Reader } from '../kernel/store/store.ts';
import { transaction } from '../kernel/store/transaction.ts';
import { noteHost } from './registration.ts';
import type { HostReport, HostResult } from './work.ts';

/** Whose words these are. */
export interface Speaker {
  readonly hostId: string;
  readonly session: string;
}

interface SpeakerRow {
  readonly name: string;
  readonly session: string | null;
  readonly state: string;
}

/** @throws HoldfastError `conflict` (`{reason: 'replaced'}`) when another agent has this host, or none */
export async function requireSpeaker(reader: Reader, { hostId, session }: Speaker): Promise<SpeakerRow> {
  const [row] = await reader.rows<SpeakerRow>('select name, session, state from hosts where id = ?', [hostId]);
  if (row?.session === session) return row;
  throw new HoldfastError('conflict', 'The session of this agent is over; another one may have taken its place.', {
    reason: 'replaced',
  });
}

/** Notes a heartbeat. A host that was thought slow or dead is alive again, and an event tells it. */
export const heartbeat = transaction(
  import.meta.url,
  'heartbeat',
  async (tx, params: Speaker & { readonly nowMs: number }): Promise<void> => {
    const { name, state } = await requireSpeaker(tx, params);
    await tx.run(`update hosts set heartbeat_at = ${tx.fragments.nowMs}, state = 'alive' where id = ?`, [
      params.hostId,
    ]);
    if (state === 'alive') return;
    const { hostId: id, nowMs } = params;
    await noteHost(tx, { id, name, type: 'host.alive', state: 'alive', nowMs, detail: { was: state } });
  },
);

export interface Hearing extends Speaker {
  readonly results: readonly HostResult[];
  readonly reports: readonly HostReport[];
}

/** Writes how work ended and what the host sees. A result that nobody waits for any more changes nothing. */
export const hear = transaction(import.meta.url, 'hear', async (tx, params: Hearing): Promise<void> => {
  const { hostId, results, reports } = params;
  await requireSpeaker(tx, params);
  const now = tx.fragments.nowMs;
  await tx.run(`update hosts set heartbeat_at = ${now} where id = ?`, [hostId]);
  for (const { id, output, error } of results.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    await tx.run(
      `update host_work set state = ?, output = ?, error = ?, secret = null, finished_at = ${now}
       where id = ? and host_id = ? and state = 'pending'`,
      [
        error === null ? 'done' : 'failed',
        error === null ? JSON.stringify(output ?? null) : null,
        error === null ? null : JSON.stringify(error),
        id,
        hostId,
      ],
    );
  }
  for (const { section, data } of reports.toSorted((a, b) => (a.section < b.section ? -1 : 1))) {
    await tx.run(
      `insert into host_reports (host_id, section, data, reported_at) values (?, ?, ?, ${now})
       on conflict (host_id, section) do update set data = excluded.data, reported_at = excluded.reported_at`,
      [hostId, section, JSON.stringify(data)],
    );
  }
});

/** How much work an agent is given at once. */
export const workAtOnceMax = 64;

interface PendingRow {
  readonly id: string;
  readonly resource: string;
  readonly kind: string;
  readonly fence: number;
  readonly input: string;
  readonly secret: string | null;
  readonly timeout_ms: number;
}

/** The oldest pending work of a host; what nobody waits for any more is left out. */
export function pendingWork(reader: Reader, hostId: string): Promise<PendingRow[]> {
  return reader.rows<PendingRow>(
    `select id, resource, kind, fence, input, secret, expires_at - ${reader.fragments.nowMs} as timeout_ms
     from host_work where host_id = ? and state = 'pending' and expires_at > ${reader.fragments.nowMs}
     order by created_at, id limit ?`,
    [hostId, workAtOnceMax * 2],
  );
}
