import type { Clock } from '../../kernel/ids.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { HostState, HostTimes } from '../host.ts';
import { listHosts } from '../queries.ts';
import { noteHost } from '../registration.ts';

const workRetentionMs = 3_600_000;
const workBatch = 1_000;

/** Tells when hosts fall silent, by events, and forgets work that has long ended. */
export function hostWatcher(store: Store, clock: Clock, times: HostTimes): Keeper {
  return {
    name: 'host-watcher',
    summary: 'Tells which hosts are slow or dead, by their heartbeats, and forgets commands to hosts that have ended.',
    periodMs: times.heartbeatMs,
    whyNoPlan: 'It only tells what heartbeats show, and forgets commands that have ended.',
    run: async (signal) => {
      const hosts = await store.read((reader) => listHosts(reader, times));
      let told = 0;
      for (const { id, state, heartbeatAtMs } of hosts) {
        if (signal.aborted || (state !== 'slow' && state !== 'dead')) continue;
        if (await store.write(noteSilence, { id, state, heartbeatAtMs, nowMs: clock.nowMs() })) told++;
      }
      const forgotten = await store.write(forgetWork, { keptMs: workRetentionMs, limit: workBatch });
      return `${hosts.length} hosts, ${told} fell silent, ${forgotten} ended commands forgotten`;
    },
  };
}

interface Silence {
  readonly id: string;
  readonly state: HostState;
  /** The heartbeat that was read; one that came since changes nothing. */
  readonly heartbeatAtMs: number;
  readonly nowMs: number;
}

/** Writes that a host is silent; `false` when that is known, or not so any more. */
export const noteSilence = transaction(
  import.meta.url,
  'noteSilence',
  async (tx, { id, state, heartbeatAtMs, nowMs }: Silence): Promise<boolean> => {
    const changed = await tx.run(
      `update hosts set state = ? where id = ? and heartbeat_at = ? and state <> ? and session is not null`,
      [state, id, heartbeatAtMs, state],
    );
    if (changed === 0) return false;
    const [row] = await tx.rows<{ name: string }>('select name from hosts where id = ?', [id]);
    const detail = { last_heard_at: new Date(heartbeatAtMs).toISOString() };
    await noteHost(tx, { id, name: row!.name, type: `host.${state}`, state, nowMs, detail });
    return true;
  },
);

/** Removes work that ended, or that nobody has waited for, longer ago than that. */
export const forgetWork = transaction(
  import.meta.url,
  'forgetWork',
  async (tx, { keptMs, limit }: { readonly keptMs: number; readonly limit: number }): Promise<number> => {
    const before = `${tx.fragments.nowMs} - ?`;
    return tx.run(
      `delete from host_work where id in (select id from host_work
         where (state <> 'pending' and finished_at < ${before}) or (state = 'pending' and expires_at < ${before})
         order by id limit ?)`,
      [keptMs, keptMs, limit],
    );
  },
);
