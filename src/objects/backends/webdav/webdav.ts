import { createHash, randomUUID } from 'node:crypto';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ByteRange, Content } from '../../content/content.ts';
import type {
  BlobFacts,
  BlobPage,
  ListPage,
  ObjectBackend,
  ObjectBackendHealth,
  ObjectBackendKind,
  OpenBlob,
  PutOptions,
} from '../backend.ts';
import { DavClient } from './dav-client.ts';
import { bodyOf } from '../http/request-body.ts';
import { pathOfKey } from '../remote-tree/key-path.ts';
import { putInPlace } from '../remote-tree/place.ts';
import { openReply, rangeHeader } from '../http/ranged-read.ts';
import { type WebdavSettings, readWebdav, validateWebdav } from './settings.ts';
import { listTree } from '../remote-tree/tree-list.ts';

const BLOBS = 'blobs';
const UPLOADS = 'uploads';
const CLEANUP_TIMEOUT_MS = 10_000;

/**
 * Blobs on a WebDAV server (RFC 4918), in two directories below the configured URL: `blobs`, by the paths of their keys,
 * and `uploads`, where a blob stands until it is whole and is then renamed into its place.
 */
class WebdavBackend implements ObjectBackend {
  readonly capabilities = { serverSideCopy: true, blobBytesMax: null };
  readonly #settings: WebdavSettings;
  readonly #dav: DavClient;
  readonly #cleanups = new Set<Promise<unknown>>();
  #hasUploads = false;

  constructor(settings: WebdavSettings) {
    this.#settings = settings;
    this.#dav = new DavClient(settings);
  }

  async health(signal: AbortSignal): Promise<ObjectBackendHealth> {
    const { url, username } = this.#settings;
    const place = `${url.host}${url.pathname}`;
    const root = await this.#dav.resource([], signal);
    if (root === null) throw new HoldfastError('backend', `${this.#dav.who} has nothing at ${url.pathname}.`);
    if (!root.isCollection) throw new HoldfastError('backend', `${this.#dav.who} has no directory at ${url.pathname}.`);
    const { availableBytes, usedBytes } = root;
    return {
      detail: `WebDAV at ${place}${username === '' ? '' : ` as ${username}`}`,
      freeBytes: availableBytes,
      totalBytes: availableBytes === null || usedBytes === null ? null : availableBytes + usedBytes,
    };
  }

  async put(key: string, content: Content, { sizeBytes, signal }: PutOptions): Promise<void> {
    const target = blobPath(key);
    const upload = uploadPath(key);
    signal.throwIfAborted();
    const body = await bodyOf(content, sizeBytes, signal);
    await this.#withUploads(signal);
    try {
      await this.#dav.put(upload, body, signal);
      const move = async (): Promise<void> => {
        if ((await this.#dav.transfer('MOVE', upload, target, signal)) === 'done') return;
        throw new HoldfastError('backend', `${this.#dav.who} lost an upload before it was renamed.`);
      };
      await putInPlace({ sizeBytes, signal, move, look: () => this.#sizeOf(target, signal) });
    } catch (error) {
      this.#hasUploads = false;
      this.#cleanUp(upload);
      throw error;
    }
  }

  async get(key: string, range: ByteRange | null, signal: AbortSignal): Promise<OpenBlob | null> {
    if (range?.length === 0) return this.#getNothing(key, signal);
    const reply = await this.#dav.read('GET', blobPath(key), rangeHeader(range), signal);
    return reply === null ? null : openReply(reply, range, this.#dav.who);
  }

  async head(key: string, signal: AbortSignal): Promise<BlobFacts | null> {
    const facts = await this.#dav.facts(blobPath(key), signal);
    return facts === null ? null : { key, ...facts };
  }

  async delete(key: string, signal: AbortSignal): Promise<'deleted' | 'absent'> {
    const [outcome] = await Promise.all([this.#dav.delete(blobPath(key), signal), this.#deleteUploads(key, signal)]);
    return outcome;
  }

  list(page: ListPage, signal: AbortSignal): Promise<BlobPage> {
    return listTree((path, each) => this.#dav.directory([BLOBS, ...path], each), page, signal);
  }

  /** Copied under a temporary name first: servers write the target of a COPY bit by bit. */
  async copy(source: string, target: string, signal: AbortSignal): Promise<'copied' | 'absent'> {
    const facts = await this.head(source, signal);
    if (facts === null) return 'absent';
    const [from, to, upload] = [blobPath(source), blobPath(target), uploadPath(target)];
    await this.#withUploads(signal);
    try {
      if ((await this.#dav.transfer('COPY', from, upload, signal)) === 'absent') return 'absent';
      const move = async (): Promise<void> => void (await this.#dav.transfer('MOVE', upload, to, signal));
      await putInPlace({ sizeBytes: facts.sizeBytes, signal, move, look: () => this.#sizeOf(to, signal) });
      return 'copied';
    } catch (error) {
      this.#cleanUp(upload);
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#cleanups);
    this.#dav.close();
  }

  async #getNothing(key: string, signal: AbortSignal): Promise<OpenBlob | null> {
    const facts = await this.head(key, signal);
    return facts === null ? null : { sizeBytes: facts.sizeBytes, content: Buffer.alloc(0), cancel: () => undefined };
  }

  async #sizeOf(path: readonly string[], signal: AbortSignal): Promise<number | null> {
    return (await this.#dav.facts(path, signal))?.sizeBytes ?? null;
  }

  /** Makes the directory of uploads once; a stream cannot be sent again after the server missed it. */
  async #withUploads(signal: AbortSignal): Promise<void> {
    if (!this.#hasUploads) await this.#dav.makeDirectories([UPLOADS], signal);
    this.#hasUploads = true;
  }

  /** Takes an upload away that came to nothing, without holding up the caller; `delete` finds what is left. */
  #cleanUp(upload: readonly string[]): void {
    const work = this.#dav.delete(upload, AbortSignal.timeout(CLEANUP_TIMEOUT_MS)).catch(() => undefined);
    this.#cleanups.add(work);
    void work.finally(() => this.#cleanups.delete(work));
  }

  async #deleteUploads(key: string, signal: AbortSignal): Promise<void> {
    const names: string[] = [];
    for await (const { name } of this.#dav.directory([UPLOADS], signal)) {
      if (name.startsWith(uploadPrefix(key))) names.push(name);
    }
    for (const name of names) await this.#dav.delete([UPLOADS, name], signal);
  }
}

function blobPath(key: string): readonly string[] {
  return [BLOBS, ...pathOfKey(key)];
}

/** A name of its own for every upload: two of them under one name would mix their bytes. */
function uploadPath(key: string): readonly string[] {
  return [UPLOADS, `${uploadPrefix(key)}${randomUUID()}`];
}

function uploadPrefix(key: string): string {
  return `${createHash('sha256').update(key).digest('hex').slice(0, 32)}-`;
}

/** `webdav`: config `url`, `username`, timeouts; secrets `password` or `bearer_token`. Digest authentication is not there. */
export const webdavKind: ObjectBackendKind = {
  kind: 'webdav',
  validate: validateWebdav,
  open: (settings) => new WebdavBackend(readWebdav(settings)),
};
