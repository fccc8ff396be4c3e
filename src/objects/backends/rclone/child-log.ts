import type { Readable } from 'node:stream';

const LINES_MAX = 200;
const LINE_CHARACTERS_MAX = 8192;
const MESSAGE_CHARACTERS_MAX = 300;

interface Line {
  readonly position: number;
  /** The path that it is about; empty without one. */
  readonly object: string;
  readonly message: string;
}

/** The last words of the child (`--use-json-log`): how it says where it listens, and why an upload failed. */
export class ChildLog {
  readonly #lines: Line[] = [];
  readonly #secrets: readonly string[];
  readonly #listeners = new Set<() => void>();
  #rest = '';
  #position = 0;

  /** `secrets` are taken out of everything that is ever shown. */
  constructor(output: Readable, secrets: readonly string[]) {
    this.#secrets = secrets.filter((secret) => secret.length >= 4);
    output.setEncoding('utf8');
    output.on('data', (text: string) => this.#read(text));
    output.on('error', () => undefined);
  }

  /** The first match of a line so far. */
  find(pattern: RegExp): RegExpExecArray | null {
    for (const { message } of this.#lines) {
      const match = pattern.exec(message);
      if (match !== null) return match;
    }
    return null;
  }

  /** The last line, for people. */
  last(): string {
    return this.clean(this.#lines.at(-1)?.message ?? 'it said nothing');
  }

  /** How many lines there were so far. */
  get position(): number {
    return this.#position;
  }

  /** What was said of a path after a position, once it is said; `null` when nothing came in `timeoutMs`. */
  async of(object: string, after: number, timeoutMs: number): Promise<string | null> {
    const look = () => this.#lines.findLast((line) => line.position > after && line.object === object)?.message ?? null;
    const deadline = AbortSignal.timeout(timeoutMs);
    while (look() === null && !deadline.aborted) await this.#change(deadline);
    const message = look();
    return message === null ? null : this.clean(message);
  }

  /** Waits for the next line, or for the signal. */
  async change(signal: AbortSignal): Promise<void> {
    await this.#change(signal);
  }

  /** A text of rclone as it may be shown: short, on one line, without secrets. */
  clean(text: string): string {
    const open = this.#secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
    return open.replaceAll(/\s+/g, ' ').trim().slice(0, MESSAGE_CHARACTERS_MAX);
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#listeners.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#listeners.add(done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, LINE_CHARACTERS_MAX);
    for (const line of lines) if (line !== '') this.#lines.push(parse(line, ++this.#position));
    this.#lines.splice(0, this.#lines.length - LINES_MAX);
    for (const listener of this.#listeners) listener();
  }
}

function parse(line: string, position: number): Line {
  try {
    const { object, msg } = JSON.parse(line) as { object?: unknown; msg?: unknown };
    return { position, object: typeof object === 'string' ? object : '', message: typeof msg === 'string' ? msg : '' };
  } catch {
    // What it says before it has read its arguments is plain text, with a time in front.
    return { position, object: '', message: line.slice(0, LINE_CHARACTERS_MAX).replace(/^[\d/]+ [\d:]+ /, '') };
  }
}
