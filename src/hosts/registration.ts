import { appendEvent } from '../kernel/events/event.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { Tx } from '../kernel/store/store.ts';
import { transaction } from '../kernel/store/transaction.ts';
import { type HostState, hostResource } from './host.ts';
import type { HostRegistration } from './work.ts';

interface Registering {
  readonly registration: HostRegistration;
  readonly newHostId: string;
  readonly session: string;
  /** An agent that was heard more recently than this keeps its place. */
  readonly slowAfterMs: number;
  /** Whether it is known that the agent before is no more. */
  readonly isSuccessor: boolean;
  readonly nowMs: number;
}

interface SessionRow {
  readonly id: string;
  readonly session: string | null;
  readonly silent_ms: number;
  readonly state: HostState;
}

/** Enters a host, or gives it to a new agent. Throws `conflict` (`{reason: 'alive'}`) while another agent speaks for it. */
export const registerHost = transaction(
  import.meta.url,
  'registerHost',
  async (tx, params: Registering): Promise<{ readonly hostId: string }> => {
    const { registration, newHostId, session, slowAfterMs, isSuccessor, nowMs } = params;
    const { name, address, version } = registration;
    const now = tx.fragments.nowMs;
    await tx.run(
      `insert into hosts (id, name, address, version, capabilities, session, epoch, state, created_at, heartbeat_at)
       values (?, ?, ?, ?, '{}', null, 0, 'left', ?, ${now}) on conflict (name) do nothing`,
      [newHostId, name, address, version, nowMs],
    );
    const [row] = await tx.rows<SessionRow>(
      `select id, session, state, ${now} - heartbeat_at as silent_ms from hosts where name = ? ${tx.fragments.forUpdate}`,
      [name],
    );
    const { id, session: before, silent_ms: silentMs } = row!;
    const isSame = before?.startsWith(`${registration.instance}.`) === true;
    if (before !== null && !isSame && !isSuccessor && silentMs < slowAfterMs) {
      const message = `Host ${name} has an agent already, which was heard ${Math.round(silentMs / 1000)} s ago.`;
      throw new HoldfastError('conflict', message, { reason: 'alive', host_id: id });
    }
    await tx.run(
      `update hosts set address = ?, version = ?, capabilities = ?, session = ?, epoch = epoch + 1, state = 'alive',
       heartbeat_at = ${now} where id = ?`,
      [address, version, JSON.stringify(registration.capabilities), session, id],
    );
    await noteHost(tx, { id, name, type: 'host.joined', state: 'alive', nowMs, detail: { address, version } });
    return { hostId: id };
  },
);

/** The agent has stopped in order; a session that is over already changes nothing. */
export const releaseHost = transaction(
  import.meta.url,
  'releaseHost',
  async (tx, params: { readonly hostId: string; readonly session: string; readonly nowMs: number }): Promise<void> => {
    const { hostId: id, session, nowMs } = params;
    const changed = await tx.run(`update hosts set session = null, state = 'left' where id = ? and session = ?`, [
      id,
      session,
    ]);
    if (changed === 0) return;
    const [row] = await tx.rows<{ name: string }>('select name from hosts where id = ?', [id]);
    await noteHost(tx, { id, name: row!.name, type: 'host.left', state: 'left', nowMs, detail: {} });
  },
);

export interface HostNote {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly state: HostState;
  readonly nowMs: number;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** An event of a host, whose row this transaction has changed. */
export async function noteHost(tx: Tx, { id, name, type, state, nowMs, detail }: HostNote): Promise<void> {
  await appendEvent(tx, {
    resource: hostResource(id),
    type,
    data: { host_id: id, name, state, ...detail },
    operationId: null,
    actor: 'server',
    createdAtMs: nowMs,
  });
}
