import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { HttpClient, type HttpStream } from '../http/client.ts';
import type { HttpReply } from '../http/reply.ts';
import type { DirectoryEntry } from '../remote-tree/tree-list.ts';
import type { RcloneChild } from './child.ts';
import { remoteError } from './rc-error.ts';
import { remoteName } from './remote-environment.ts';
import type { RcloneSettings } from './settings.ts';

const CONNECT_TIMEOUT_MS = 5000;
const CONTROL_CONNECTIONS_MAX = 16;
/** What a listing of one directory may take; rclone gives it in one piece, at some 200 bytes an entry. */
const REPLY_BYTES_MAX = 64 * 1024 * 1024;
const LOG_WAIT_MS = 500;
const listOptions = { noMimeType: true };

/** What the type of a remote can do, as rclone tells. */
export interface RemoteFeatures {
  readonly About: boolean;
  /** Such remotes have no directories, and a blob appears in them whole or not at all. */
  readonly BucketBased: boolean;
  readonly Copy: boolean;
  readonly Move: boolean;
}

interface Item {
  readonly Name: string;
  readonly Size: number;
  readonly ModTime: string;
  readonly IsDir: boolean;
}

/** A running child's remote: bytes over restic's REST protocol, everything else over the remote control. */
export class Remote {
  readonly who: string;
  readonly #data: HttpClient;
  readonly #control: HttpClient;
  readonly #child: RcloneChild;
  readonly #fs: string;

  constructor(child: RcloneChild, settings: RcloneSettings) {
    this.#child = child;
    this.#fs = `${remoteName}:${settings.remotePath}`;
    this.who = `The rclone remote (${settings.remoteType})`;
    const { authorization } = child;
    const client = (origin: string, connectionsMax: number) => {
      const { idleTimeoutMs } = settings;
      const who = this.who;
      return new HttpClient({
        origin,
        who,
        authorization,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        idleTimeoutMs,
        connectionsMax,
      });
    };
    this.#data = client(child.dataOrigin, settings.connectionsMax);
    this.#control = client(child.controlOrigin, CONTROL_CONNECTIONS_MAX);
  }

  async version(signal: AbortSignal): Promise<{ version: string; decomposed: readonly number[] }> {
    const { version, decomposed } = (await this.#call('core/version', 'tell its version', {}, signal)) as {
      version: string;
      decomposed: number[];
    };
    return { version, decomposed };
  }

  async features(signal: AbortSignal): Promise<RemoteFeatures> {
    const reply = await this.#call('operations/fsinfo', 'tell what it can do', { fs: this.#fs }, signal);
    return (reply as { Features: RemoteFeatures }).Features;
  }

  async space(signal: AbortSignal): Promise<{ free: number | null; total: number | null }> {
    const reply = await this.#call('operations/about', 'tell its space', { fs: this.#fs }, signal);
    const { free, total } = reply as { free?: number; total?: number };
    return { free: free ?? null, total: total ?? null };
  }

  /** Reads the first level, which is small; `false` when there is nothing at the path. */
  async hasRoot(signal: AbortSignal): Promise<boolean> {
    const input = { fs: this.#fs, remote: '', opt: { ...listOptions, noModTime: true } };
    return (await this.#callOrAbsent('operations/list', 'list its root', input, signal)) !== null;
  }

  async *directory(path: readonly string[], signal: AbortSignal): AsyncGenerator<DirectoryEntry> {
    const input = { fs: this.#fs, remote: path.join('/'), opt: listOptions };
    const reply = await this.#callOrAbsent('operations/list', 'list a directory', input, signal);
    for (const { Name: name, IsDir, Size, ModTime } of (reply as { list?: Item[] | null } | null)?.list ?? []) {
      yield { name, isDirectory: IsDir, sizeBytes: Size < 0 ? null : Size, modifiedAtMs: timeOf(ModTime) };
    }
  }

  async facts(
    path: readonly string[],
    signal: AbortSignal,
  ): Promise<{ sizeBytes: number; modifiedAtMs: number } | null> {
    const input = { fs: this.#fs, remote: path.join('/'), opt: { ...listOptions, filesOnly: true } };
    const reply = await this.#callOrAbsent('operations/stat', 'look at a blob', input, signal);
    const item = (reply as { item?: Item | null } | null)?.item ?? null;
    if (item === null) return null;
    if (item.Size < 0) throw new HoldfastError('backend', `${this.who} does not tell the size of a blob.`);
    return { sizeBytes: item.Size, modifiedAtMs: timeOf(item.ModTime) };
  }

  async delete(path: readonly string[], signal: AbortSignal): Promise<'deleted' | 'absent'> {
    const input = { fs: this.#fs, remote: path.join('/') };
    const reply = await this.#callOrAbsent('operations/deletefile', 'delete a blob', input, signal);
    return reply === null ? 'absent' : 'deleted';
  }

  /** Renames or copies inside the remote, over whatever is there. */
  async transfer(verb: 'move' | 'copy', from: readonly string[], to: readonly string[], signal: AbortSignal) {
    const fs = this.#fs;
    const input = { srcFs: fs, srcRemote: from.join('/'), dstFs: fs, dstRemote: to.join('/') };
    const reply = await this.#callOrAbsent(`operations/${verb}file`, `${verb} a blob`, input, signal);
    return reply === null ? 'absent' : 'done';
  }

  /** Writes a file of a known length; one that breaks off is removed by rclone. */
  async put(path: readonly string[], body: Buffer | HttpStream, signal: AbortSignal): Promise<void> {
    const before = this.#child.log.position;
    const reply = await this.#data.request({ method: 'POST', path: `/${path.join('/')}`, body, signal });
    await reply.drain();
    if (reply.status === 200) return;
    // The answer is a bare status; the reason is in the log.
    const said = await this.#child.log.of(path.join('/'), before, LOG_WAIT_MS);
    const why = said?.replace(/^Post request (put|rcat) error: /, '') ?? `status ${reply.status}`;
    throw remoteError(this.who, 'store a blob', why);
  }

  /** Opens a file; `null` when it is not there. rclone says 404 for every failure, so that is asked for again. */
  async get(path: readonly string[], range: string | null, signal: AbortSignal): Promise<HttpReply | null> {
    const headers = range === null ? {} : { range };
    const reply = await this.#data.request({ method: 'GET', path: `/${path.join('/')}`, headers, signal });
    if (reply.status === 200 || reply.status === 206 || reply.status === 416) return reply;
    await reply.drain();
    if (reply.status === 404 && (await this.facts(path, signal)) === null) return null;
    throw new HoldfastError('backend', `${this.who} failed to open a blob (${reply.status}).`);
  }

  close(): void {
    this.#data.close();
    this.#control.close();
  }

  async #call(operation: string, what: string, input: object, signal: AbortSignal): Promise<object> {
    const reply = await this.#callOrAbsent(operation, what, input, signal);
    if (reply === null) throw new HoldfastError('backend', `${this.who} failed to ${what}: there is nothing there.`);
    return reply;
  }

  /** A call of the remote control; `null` for what rclone says is not there. */
  async #callOrAbsent(operation: string, what: string, input: object, signal: AbortSignal): Promise<object | null> {
    const headers = { 'content-type': 'application/json' };
    const body = Buffer.from(JSON.stringify(input));
    const reply = await this.#control.request({ method: 'POST', path: `/${operation}`, headers, body, signal });
    const answer = parse(await reply.text(REPLY_BYTES_MAX));
    if (reply.status === 200 && answer !== null) return answer;
    if (reply.status === 404 && /(object|directory) not found/.test(String(answer?.error))) return null;
    const said = this.#child.log.clean(String(answer?.error ?? `status ${reply.status}`));
    throw remoteError(this.who, what, said);
  }
}

function parse(text: string): { error?: unknown } | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function timeOf(text: string): number {
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? 0 : timeMs;
}
