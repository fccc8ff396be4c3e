import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { connect, cutOffPredecessors } from './connect.ts';
import { hasErrno } from './errno.ts';
import { libraryProblem } from './library-problem.ts';
import type { Librbd } from './librbd.ts';
import type { NativeCalls } from './native-calls.ts';
import type { CephConnection, CephSession } from './session.ts';

const LIBRARY_MISSING = 'library_missing';

/**
 * Whether only a new process can do better: a client on the blocklist stays there, and libraries are looked for once
 * in the life of a process.
 */
export function needsNewProcess(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return false;
  return hasErrno(error, 'ESHUTDOWN') || error.details['reason'] === LIBRARY_MISSING;
}

/** Loads the libraries, in this process. Throws `unavailable` with the sentence that says what to install. */
export async function loadLibraries(calls: NativeCalls): Promise<Librbd> {
  try {
    // Loaded only here, so that a missing library or koffi build is an answer and not a crash at start.
    const { loadLibrbd } = await import('./librbd.ts');
    return loadLibrbd(calls);
  } catch (error) {
    throw new HoldfastError('unavailable', libraryProblem(error), { reason: LIBRARY_MISSING }, error);
  }
}

/** Holds the child's one connection: made at the first call, tried again at the next call after it has failed. */
export class Connector {
  readonly #calls: NativeCalls;
  readonly #connection: CephConnection;
  readonly #predecessors: readonly string[];
  readonly #onConnected: (address: string) => void;
  #library: Librbd | null = null;
  #session: Promise<CephSession> | null = null;

  constructor(
    calls: NativeCalls,
    connection: CephConnection,
    predecessors: readonly string[],
    onConnected: (address: string) => void,
  ) {
    this.#calls = calls;
    this.#connection = connection;
    this.#predecessors = predecessors;
    this.#onConnected = onConnected;
  }

  session(): Promise<CephSession> {
    if (this.#session !== null) return this.#session;
    const session = this.#connect();
    this.#session = session;
    session.catch(() => {
      if (this.#session === session) this.#session = null;
    });
    return session;
  }

  /** Leaves the cluster; resolves to whether that was done within the time. */
  async shutdown(timeoutMs: number): Promise<boolean> {
    const pending = this.#session;
    if (pending === null) return true;
    const leave = async (): Promise<boolean> => {
      const session = await pending;
      await session.lib.rados.rados_ioctx_destroy(session.io);
      await session.lib.rados.rados_shutdown(session.cluster);
      return true;
    };
    return await Promise.race([leave().catch(() => false), delay(timeoutMs, false)]);
  }

  async #connect(): Promise<CephSession> {
    this.#library ??= await loadLibraries(this.#calls);
    const session = await connect(this.#library, this.#connection, this.#predecessors);
    this.#onConnected(session.address);
    await cutOffPredecessors(session);
    return session;
  }
}
