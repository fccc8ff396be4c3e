import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { HttpClient, type HttpCall } from '../http/client.ts';
import { refusalError } from '../http/errors.ts';
import type { HttpReply } from '../http/reply.ts';
import { type DavResource, readMultistatus } from './multistatus.ts';
import type { WebdavSettings } from './settings.ts';
import type { DirectoryEntry } from '../remote-tree/tree-list.ts';

const LISTED = ['resourcetype', 'getcontentlength', 'getlastmodified'];
const ASKED = [...LISTED, 'quota-available-bytes', 'quota-used-bytes'];

/** The verbs of RFC 4918 that blobs need, on paths of names below the configured URL. Names are safe in a URL as they are. */
export class DavClient {
  readonly who: string;
  readonly #http: HttpClient;
  readonly #root: URL;

  constructor(settings: WebdavSettings) {
    this.#root = settings.url;
    this.who = `The WebDAV server at ${settings.url.host}`;
    this.#http = new HttpClient({
      origin: settings.url.origin,
      who: this.who,
      authorization: settings.authorization,
      connectTimeoutMs: settings.connectTimeoutMs,
      idleTimeoutMs: settings.idleTimeoutMs,
      connectionsMax: settings.connectionsMax,
    });
  }

  /** What a file or directory is, or `null`; the root is the configured URL. */
  async resource(path: readonly string[], signal: AbortSignal): Promise<DavResource | null> {
    const reply = await this.#propfind(path, '0', ASKED, signal);
    if (reply === null) return null;
    let found: DavResource | null = null;
    for await (const resource of readMultistatus(reply.chunks(), this.who)) found ??= resource;
    return found;
  }

  /** The entries of a directory as the server names them; nothing when it is not there. */
  async *directory(path: readonly string[], signal: AbortSignal): AsyncGenerator<DirectoryEntry> {
    const reply = await this.#propfind(path, '1', LISTED, signal);
    if (reply === null) return;
    const own = decodeURIComponent(this.#path(path, '/'));
    for await (const resource of readMultistatus(reply.chunks(), this.who)) {
      if (withSlash(resource.path) === own) continue;
      const name = resource.path.startsWith(own) ? resource.path.slice(own.length).replace(/\/$/, '') : '';
      if (name === '' || name.includes('/')) {
        const sentence = `${this.who} gave a listing that names something outside of its directory.`;
        throw new HoldfastError('backend', sentence, { reason: 'garbage' });
      }
      const { isCollection: isDirectory, sizeBytes, modifiedAtMs } = resource;
      yield { name, isDirectory, sizeBytes, modifiedAtMs };
    }
  }

  /** GET or HEAD; `null` when there is nothing. Only 200, 206 and 416 come back. */
  async read(method: 'GET' | 'HEAD', path: readonly string[], range: string | null, signal: AbortSignal) {
    const headers = range === null ? {} : { range };
    const reply = await this.#call(method, path, { headers, signal });
    if (reply.status === 200 || reply.status === 206 || reply.status === 416) return reply;
    await reply.drain();
    if (reply.status === 404 || reply.status === 410) return null;
    throw this.#refusal(reply, method);
  }

  /** Size and time of a file, or `null`. */
  async facts(path: readonly string[], signal: AbortSignal): Promise<FileFacts | null> {
    const reply = await this.read('HEAD', path, null, signal);
    if (reply === null) return null;
    await reply.drain();
    const { contentLength: sizeBytes } = reply;
    const modifiedAtMs = Date.parse(reply.header('last-modified') ?? '');
    if (sizeBytes !== null && !Number.isNaN(modifiedAtMs)) return { sizeBytes, modifiedAtMs };
    // Apache tells no length of an empty file in its answer to HEAD; what compresses on the way tells none at all.
    const resource = await this.resource(path, signal);
    if (resource === null) return null;
    if (resource.sizeBytes !== null) return { sizeBytes: resource.sizeBytes, modifiedAtMs: resource.modifiedAtMs };
    throw new HoldfastError('backend', `${this.who} does not tell the size of a blob.`);
  }

  async put(path: readonly string[], body: NonNullable<HttpCall['body']>, signal: AbortSignal): Promise<void> {
    const headers = { 'content-type': 'application/octet-stream' };
    await this.#expect('PUT', path, { headers, body, signal }, [200, 201, 204]);
  }

  async delete(path: readonly string[], signal: AbortSignal): Promise<'deleted' | 'absent'> {
    const status = await this.#expect('DELETE', path, { signal }, [200, 202, 204, 404, 410]);
    return status === 404 || status === 410 ? 'absent' : 'deleted';
  }

  /** Renames or copies over whatever is there; makes the directories above the target when the server misses them. */
  async transfer(verb: 'MOVE' | 'COPY', from: readonly string[], to: readonly string[], signal: AbortSignal) {
    const destination = new URL(this.#path(to), this.#root.origin).href;
    const headers = { destination, overwrite: 'T', ...(verb === 'COPY' ? { depth: '0' } : {}) };
    const once = (alsoFine: readonly number[]) =>
      this.#expect(verb, from, { headers, signal }, [200, 201, 204, 404, ...alsoFine]);
    // RFC 4918 §9.9.4 says 409 for a missing directory; mod_dav_fs says 500 to MOVE, and others say 404.
    let status = await once([409, 500]);
    if (status === 404 || status === 409 || status === 500) {
      await this.makeDirectories(to.slice(0, -1), signal);
      status = await once([]);
    }
    return status === 404 ? 'absent' : 'done';
  }

  /** MKCOL from the deepest directory upwards until one has a parent, and down again. */
  async makeDirectories(path: readonly string[], signal: AbortSignal): Promise<void> {
    if (await this.#hasMadeDirectory(path, signal)) return;
    if (path.length === 0) throw new HoldfastError('backend', `${this.who} has nothing at the configured URL.`);
    await this.makeDirectories(path.slice(0, -1), signal);
    if (await this.#hasMadeDirectory(path, signal)) return;
    throw new HoldfastError('backend', `${this.who} does not keep the directories that it makes.`);
  }

  /** Whether it is there now; `false` when its parent is not. */
  async #hasMadeDirectory(path: readonly string[], signal: AbortSignal): Promise<boolean> {
    const once = (alsoFine: readonly number[]) =>
      this.#expect('MKCOL', path, { slash: '/', signal }, [200, 201, 301, 404, 405, 409, ...alsoFine]);
    // Two that make the same directory at once: the later one gets 403 or 500 from mod_dav_fs, and 405 when it asks again.
    let status = await once([403, 500]);
    if (status === 403 || status === 500) status = await once([]);
    // 405 is how RFC 4918 §9.3.1 says that it is there; some servers redirect from what is there.
    return status !== 404 && status !== 409;
  }

  close(): void {
    this.#http.close();
  }

  async #propfind(path: readonly string[], depth: '0' | '1', properties: readonly string[], signal: AbortSignal) {
    const names = properties.map((name) => `<${name}/>`).join('');
    const body = Buffer.from(
      `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>${names}</prop></propfind>`,
    );
    const headers = { depth, 'content-type': 'application/xml; charset=utf-8' };
    const slash = depth === '1' ? '/' : '';
    const reply = await this.#call('PROPFIND', path, { headers, body, slash, signal });
    if (reply.status === 207) return reply;
    await reply.drain();
    if (reply.status === 404 || reply.status === 410) return null;
    throw this.#refusal(reply, 'PROPFIND');
  }

  async #expect(method: string, path: readonly string[], call: PathCall, fine: readonly number[]): Promise<number> {
    const reply = await this.#call(method, path, call);
    await reply.drain();
    if (!fine.includes(reply.status)) throw this.#refusal(reply, method);
    return reply.status;
  }

  #call(method: string, path: readonly string[], { slash = '', ...call }: PathCall): Promise<HttpReply> {
    return this.#http.request({ method, path: this.#path(path, slash), ...call });
  }

  #path(path: readonly string[], slash: '' | '/' = ''): string {
    const below = path.join('/');
    return `${this.#root.pathname}${below}${below === '' ? '' : slash}`;
  }

  #refusal(reply: HttpReply, what: string): HoldfastError {
    const { status } = reply;
    const [retryAfter, location] = [reply.header('retry-after'), reply.header('location')];
    return refusalError({ who: this.who, what, status, retryAfter, location });
  }
}

interface FileFacts {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

type PathCall = Pick<HttpCall, 'headers' | 'body' | 'signal'> & { readonly slash?: '' | '/' };

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}
