import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError, toErrorData } from '../../kernel/errors/errors.ts';
import type { HostRegistration, HostResult, HostSession, HostWork } from '../work.ts';
import type { AgentLink } from './link.ts';
import { KeyQueue } from '../../kernel/concurrency/key-queue.ts';
import { Fences } from './fences.ts';

/** What an executor gets beside the input. */
export interface WorkContext {
  readonly fence: number;
  readonly secret: string | null;
  /** Aborts when nobody waits any more, or when the agent must stop. */
  readonly signal: AbortSignal;
}

/** Does one kind of work. It may be called again for the same work after a crash, so it looks before it acts. */
export type Executor = (context: WorkContext, input: unknown) => Promise<unknown>;

export interface AgentOptions {
  readonly link: AgentLink;
  readonly registration: HostRegistration;
  readonly executors: Readonly<Record<string, Executor>>;
  /** Gets what should be on this host each time the server says it. */
  readonly onWanted?: (wanted: Readonly<Record<string, unknown>>) => void;
  /** Told when this agent speaks for the host, and when not any more. */
  readonly onSession?: (session: HostSession | null) => void;
  /** Told once of each trouble, however long it lasts. */
  readonly onError?: (error: unknown, about: string) => void;
  /** Told when there is no trouble any more. */
  readonly onRecovered?: () => void;
  readonly retryWaitMs?: number;
}

const callTimeoutMs = 30_000;
const stopTimeoutMs = 5_000;
const defaultRetryWaitMs = 1_000;
const retryWaitMaxMs = 10_000;

/** Does what a server asks of this host, one thing of a resource at a time, and says what it sees. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #stopping = new AbortController();
  /** One thing of a resource at a time. */
  readonly #queue = new KeyQueue();
  readonly #fences = new Fences();
  /** Work that was taken and whose result the server does not have yet. */
  readonly #known = new Map<string, HostResult | null>();
  /** What the host sees, by section; sent whenever it changed, and to each new session. */
  readonly #reports = new Map<string, { readonly data: unknown; isSent: boolean }>();
  /** What goes wrong now, by what it was about. */
  readonly #troubles = new Map<string, string>();
  #session: HostSession | null = null;
  #wakeReporter: () => void = () => {};
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  /** Begins to ask for work; errors are told and tried again until {@link stop}. */
  start(): void {
    this.#running = Promise.all([this.#takeForever(), this.#reportForever()]);
  }

  /** Tells the server what is to be seen in a section now; sent in the background, the last word wins. */
  tell(section: string, data: unknown): void {
    if (JSON.stringify(this.#reports.get(section)?.data) === JSON.stringify(data)) return;
    this.#reports.set(section, { data, isSent: false });
    this.#wakeReporter();
  }

  /** Aborts what is under way and leaves. What was cut off is done by the next agent of this host. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wakeReporter();
    await this.#running;
    // An executor that does not heed its signal must not keep the process.
    await Promise.race([this.#queue.idle(), delay(stopTimeoutMs, undefined, { ref: false })]);
    const session = this.#session;
    this.#session = null;
    if (session === null) return;
    await this.#options.link.release(session, AbortSignal.timeout(callTimeoutMs)).catch((error: unknown) => {
      this.#options.onError?.(error, 'leaving');
    });
  }

  async #takeForever(): Promise<void> {
    const { link } = this.#options;
    const about = 'asking for work';
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      try {
        const session = this.#session ?? (await this.#register());
        const take = await link.take(session, [...this.#known.keys()], this.#signal());
        failures = 0;
        this.#endTrouble(about);
        for (const work of take.work) this.#begin(work);
        this.#options.onWanted?.(take.wanted);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#loseIfReplaced(error);
        this.#tellTrouble(error, about);
        await this.#rest(++failures);
      }
    }
  }

  async #register(): Promise<HostSession> {
    const { link, registration, onSession } = this.#options;
    const session = await link.register(registration, this.#signal());
    this.#session = session;
    for (const report of this.#reports.values()) report.isSent = false;
    onSession?.(session);
    this.#wakeReporter();
    return session;
  }

  #begin(work: HostWork): void {
    if (this.#known.has(work.id)) return;
    this.#known.set(work.id, null);
    void this.#work(work);
  }

  async #work(work: HostWork): Promise<void> {
    const { id, resource } = work;
    let result: HostResult;
    try {
      result = await this.#queue.run(resource, () => this.#execute(work));
    } catch (error) {
      result = { id, output: null, error: toErrorData(error) };
    }
    this.#known.set(id, result);
    this.#wakeReporter();
  }

  async #execute({ id, resource, kind, fence, input, secret, timeoutMs }: HostWork): Promise<HostResult> {
    const executor = Object.hasOwn(this.#options.executors, kind) ? this.#options.executors[kind] : undefined;
    try {
      if (executor === undefined) throw new HoldfastError('unsupported', `This host cannot do ${kind}.`, { kind });
      this.#fences.raise(resource, fence);
      const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(timeoutMs)]);
      return { id, output: (await executor({ fence, secret, signal }, input)) ?? null, error: null };
    } catch (error) {
      return { id, output: null, error: toErrorData(error) };
    }
  }

  async #reportForever(): Promise<void> {
    const { link } = this.#options;
    const about = 'reporting';
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      const woken = new Promise<void>((resolve) => (this.#wakeReporter = resolve));
      const session = this.#session;
      const results = [...this.#known.values()].filter((result) => result !== null);
      const reports = [...this.#reports].filter(([, { isSent }]) => !isSent);
      if (session === null || results.length + reports.length === 0) {
        await woken;
        continue;
      }
      try {
        const sections = reports.map(([section, { data }]) => ({ section, data }));
        await link.report(session, results, sections, this.#signal());
        for (const { id } of results) this.#known.delete(id);
        for (const [, report] of reports) report.isSent = true;
        failures = 0;
        this.#endTrouble(about);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#loseIfReplaced(error);
        this.#tellTrouble(error, about);
        await this.#rest(++failures);
      }
    }
  }

  /** Another agent speaks for this host, and does again what this one has not told the end of. */
  #loseIfReplaced(error: unknown): void {
    if (!isReason(error, 'replaced') || this.#session === null) return;
    this.#session = null;
    this.#known.clear();
    this.#options.onSession?.(null);
  }

  /** A server that is away is away for questions and reports alike, and stays so for a while: that is one thing to tell. */
  #tellTrouble(error: unknown, about: string): void {
    const trouble = troubleOf(error);
    const isTold = [...this.#troubles.values()].includes(trouble);
    this.#troubles.set(about, trouble);
    if (!isTold) this.#options.onError?.(error, about);
  }

  #endTrouble(about: string): void {
    if (this.#troubles.delete(about) && this.#troubles.size === 0) this.#options.onRecovered?.();
  }

  #signal(): AbortSignal {
    return AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(callTimeoutMs)]);
  }

  async #rest(failures: number): Promise<void> {
    const waitMs = Math.min((this.#options.retryWaitMs ?? defaultRetryWaitMs) * 2 ** (failures - 1), retryWaitMaxMs);
    await delay(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}

function isReason(error: unknown, reason: string): boolean {
  return error instanceof HoldfastError && error.details['reason'] === reason;
}

/** What makes two errors the same trouble: sentences tell times and numbers, which change. */
function troubleOf(error: unknown): string {
  if (error instanceof HoldfastError) return `${error.kind} ${String(error.details['reason'])}`;
  return String(error);
}
