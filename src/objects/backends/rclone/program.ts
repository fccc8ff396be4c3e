import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** Variables that rclone and its libraries may see: how to find things, never what else this server was told. */
const inherited = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
const inheritedProxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

export type Environment = Readonly<Record<string, string | undefined>>;

export function minimalEnvironment(environment: Environment): Record<string, string> {
  const names = [...inherited, ...inheritedProxies];
  return Object.fromEntries(
    names.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
}

/** @throws HoldfastError `unavailable` that says how to install it. */
export async function findRclone(environment: Environment): Promise<string> {
  for (const folder of (environment['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'rclone');
    const isThere =
      folder !== '' &&
      (await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ));
    if (isThere) return path;
  }
  const sentence = 'The program rclone is not installed on the gateway; on Debian: apt-get install rclone.';
  throw new HoldfastError('unavailable', sentence, { reason: 'not_installed' });
}

/**
 * Runs rclone to its end and gives what it printed. Secrets go in by its standard input, where no other user sees them.
 *
 * @throws HoldfastError `unavailable` when it fails; its words are not repeated, since they may hold what it was given.
 */
export function runRclone(
  binary: string,
  args: readonly string[],
  options: { readonly environment: Environment; readonly input?: string; readonly signal: AbortSignal },
): Promise<string> {
  const failed = (why: string) => new HoldfastError('unavailable', `rclone ${args[0] ?? ''} failed (${why}).`);
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, {
      env: minimalEnvironment(options.environment),
      stdio: ['pipe', 'pipe', 'ignore'],
      signal: options.signal,
      killSignal: 'SIGKILL',
    });
    const parts: Buffer[] = [];
    let bytes = 0;
    child.on('error', (error) => reject(failed(error.name)));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > OUTPUT_BYTES_MAX) child.kill('SIGKILL');
      else parts.push(chunk);
    });
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve(Buffer.concat(parts).toString('utf8'));
      else reject(failed(code === null ? String(killedBy) : `status ${code}`));
    });
  });
}
