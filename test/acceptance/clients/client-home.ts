import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SigningCredentials } from '../../../src/objects/s3/signature/sign.ts';
import type { Tool } from '../../support/s3-clients.ts';

/** No call of a client takes longer, however busy the machine is. */
const timeoutMs = 60_000;
/** Of what a client prints on either stream; the large objects go through pipes too. */
const outputBytesMax = 64 * 1024 * 1024;

export interface Ran {
  /** `null`: ended by a signal, such as that of the deadline. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/** Where one client works: a directory of its own, which is its home too, so that no settings but ours reach it. */
export class ClientHome {
  readonly directory: string;
  readonly endpoint: string;
  readonly credentials: SigningCredentials;
  /** From here on, the bucket's objects stand on two places. */
  readonly makeSafe: (bucket: string) => Promise<void>;
  readonly #tool: Tool;

  constructor(
    tool: Tool,
    directory: string,
    gateway: {
      readonly endpoint: string;
      readonly credentials: SigningCredentials;
      makeSafe(bucket: string): Promise<void>;
    },
  ) {
    this.#tool = tool;
    this.directory = directory;
    this.endpoint = gateway.endpoint;
    this.credentials = gateway.credentials;
    this.makeSafe = gateway.makeSafe;
  }

  /** A path in the directory. */
  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  /** Makes a directory for what a client writes. */
  async folder(name: string): Promise<string> {
    const path = this.path(name);
    await mkdir(path, { recursive: true });
    return path;
  }

  /** Runs the client to its end, in the directory. */
  run(args: readonly string[], { input, env = {} }: RunOptions = {}): Promise<Ran> {
    const child = spawn(this.#tool.path, args, {
      cwd: this.directory,
      env: { PATH: '/usr/bin:/bin', HOME: this.directory, LANG: 'C.UTF-8', TZ: 'UTC', ...env },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    let bytes = 0;
    const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= outputBytesMax) chunks.push(chunk);
      else child.kill('SIGKILL');
    };
    child.stdout.on('data', keep(stdout));
    child.stderr.on('data', keep(stderr));
    // A client that fails need not read all of its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) =>
        resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
      );
    });
  }

  /** Runs the client, which must exit with 0; gives what it did. */
  async succeeds(args: readonly string[], options?: RunOptions): Promise<Ran> {
    const ran = await this.run(args, options);
    const said = ran.code === 0 ? '' : `\n${ran.stderr}\n${ran.stdout.toString('utf8', 0, 4_000)}`;
    assert.equal(ran.code, 0, `${this.#tool.name} ${args.join(' ')}${said}`);
    return ran;
  }

  /** Runs the client, which must fail and say something like this; gives what it did. */
  async fails(sentence: RegExp, args: readonly string[], options?: RunOptions): Promise<Ran> {
    const ran = await this.run(args, options);
    assert.ok(ran.code !== null && ran.code > 0, `${this.#tool.name} ${args.join(' ')}: exit code ${ran.code}`);
    assert.match(`${ran.stderr}${ran.stdout.toString()}`, sentence);
    return ran;
  }
}
