import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const program = join(import.meta.dirname, '../../bin/holdfast.js');
const timeoutMs = 60_000;

/** What became of one run of the command line. */
export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  /** Another server than the usual one. */
  readonly url?: string;
  readonly input?: Buffer;
  readonly env?: Readonly<Record<string, string>>;
  /** Told the process as soon as it is there. */
  readonly onStart?: (child: { readonly pid: number; kill(signal: NodeJS.Signals): boolean }) => void;
}

/** Runs the real program in processes of their own, in one directory and against one server. */
export class CommandLine {
  readonly #directory: string;
  readonly #url: () => string;

  constructor(directory: string, url: () => string) {
    this.#directory = directory;
    this.#url = url;
  }

  run(args: readonly string[], { url, input, env, onStart }: RunOptions = {}): Promise<Ran> {
    return this.#spawn(process.execPath, [program, ...args], { url, input, env, onStart });
  }

  /** A line for a shell, in which `holdfast` is the program. */
  shell(line: string): Promise<Ran> {
    const holdfast = `holdfast() { '${process.execPath}' '${program}' "$@"; }`;
    return this.#spawn('bash', ['-c', `${holdfast}\n${line}`], {});
  }

  /** What it prints; it must succeed, and say nothing on the error stream. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, args.join(' '));
    return stdout.toString();
  }

  async fails(code: number, sentence: RegExp, ...args: string[]): Promise<Ran> {
    const ran = await this.run(args);
    assert.equal(ran.code, code, `${args.join(' ')}: ${ran.stderr}`);
    assert.match(ran.stderr, sentence);
    return ran;
  }

  #spawn(
    file: string,
    args: readonly string[],
    { url, input, env, onStart }: { [K in keyof RunOptions]: RunOptions[K] | undefined },
  ): Promise<Ran> {
    const child = spawn(file, args, {
      env: { PATH: process.env['PATH'] ?? '', HOME: this.#directory, HOLDFAST_URL: url ?? this.#url(), ...env },
      cwd: this.#directory,
      timeout: timeoutMs,
    });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A program that refuses its input need not read it.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => onStart?.({ pid: child.pid!, kill: (signal) => child.kill(signal) }));
      child.once('close', (code, signal) =>
        resolve({ code, signal, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
      );
    });
  }
}
