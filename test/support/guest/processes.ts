import type { Socket } from 'node:net';
import type { FromAgent, ToAgent } from './messages.ts';

const OUTPUT_CHARACTERS_MAX = 16 * 1024 * 1024;
/** How long a killed process may take to be gone; one that waits for a device takes for ever. */
const KILL_TIMEOUT_MS = 3_000;

export interface GuestResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  /** After this it is killed, and `ended` rejects. 30 s by default. */
  readonly timeoutMs?: number;
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A process in the guest. */
export interface GuestProcess {
  /** Its id in the guest, as soon as it runs. */
  readonly pid: Promise<number>;
  /** What it has said so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Its end. Rejects when its time is up. */
  readonly ended: Promise<GuestResult>;
  /** A signal for it alone, not for its children. */
  kill(signal?: NodeJS.Signals): void;
}

interface Held {
  readonly command: readonly string[];
  readonly pid: PromiseWithResolvers<number>;
  readonly end: PromiseWithResolvers<GuestResult>;
  stdout: string;
  stderr: string;
  timer: NodeJS.Timeout | null;
}

/** The processes that this test started in one guest, over the connection to its agent. */
export class GuestProcesses {
  readonly #socket: Socket;
  readonly #held = new Map<number, Held>();
  readonly #ready = Promise.withResolvers<void>();
  #nextId = 1;
  #unfinished = '';

  constructor(socket: Socket) {
    this.#socket = socket;
    // Either may be asked for by nobody any more.
    this.#ready.promise.catch(() => undefined);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lose('the guest has ended'));
  }

  /** When the agent runs. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  start(command: readonly string[], options: StartOptions = {}): GuestProcess {
    const id = this.#nextId++;
    const { timeoutMs = 30_000, input = '', cwd = '/', env = {} } = options;
    const held: Held = {
      command,
      pid: Promise.withResolvers(),
      end: Promise.withResolvers(),
      stdout: '',
      stderr: '',
      timer: null,
    };
    held.pid.promise.catch(() => undefined);
    held.end.promise.catch(() => undefined);
    this.#held.set(id, held);
    held.timer = setTimeout(() => this.#endLate(id, held, timeoutMs), timeoutMs);
    this.#say({ kind: 'start', id, command, cwd, env });
    this.#say({ kind: 'input', id, text: input });
    return {
      pid: held.pid.promise,
      ended: held.end.promise,
      get stdout() {
        return held.stdout;
      },
      get stderr() {
        return held.stderr;
      },
      kill: (signal = 'SIGKILL') => this.#say({ kind: 'signal', id, signal, isGroup: false }),
    };
  }

  #endLate(id: number, held: Held, timeoutMs: number): void {
    const why = new Error(`${told(held)} did not end in ${timeoutMs} ms: ${held.stdout}${held.stderr}`);
    held.pid.reject(why);
    held.end.reject(why);
    this.#say({ kind: 'signal', id, signal: 'SIGKILL', isGroup: true });
    held.timer = setTimeout(() => this.#held.delete(id), KILL_TIMEOUT_MS);
    held.timer.unref();
  }

  #say(message: ToAgent): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  #read(text: string): void {
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = lines.pop() ?? '';
    for (const line of lines) this.#act(JSON.parse(line) as FromAgent);
  }

  #act(message: FromAgent): void {
    if (message.kind === 'ready') return this.#ready.resolve();
    if (message.kind === 'trouble') return this.#lose(`the agent of the guest failed: ${message.text}`);
    const held = this.#held.get(message.id);
    if (held === undefined) return;
    if (message.kind === 'started') return held.pid.resolve(message.pid);
    if (message.kind === 'output') {
      if (held[message.stream].length < OUTPUT_CHARACTERS_MAX) {
        held[message.stream] += message.text;
      }
      return;
    }
    this.#held.delete(message.id);
    if (held.timer !== null) clearTimeout(held.timer);
    if (message.kind === 'failed') {
      const why = new Error(`${told(held)} could not be started: ${message.text}`);
      held.pid.reject(why);
      return held.end.reject(why);
    }
    const { stdout, stderr } = held;
    held.end.resolve({ status: message.status, signal: message.signal, stdout, stderr });
  }

  #lose(reason: string): void {
    this.#ready.reject(new Error(reason));
    for (const held of this.#held.values()) {
      if (held.timer !== null) clearTimeout(held.timer);
      const why = new Error(`${told(held)}: ${reason}`);
      held.pid.reject(why);
      held.end.reject(why);
    }
    this.#held.clear();
  }
}

function told({ command }: Held): string {
  return command.join(' ').slice(0, 200);
}
