import { createHash, randomUUID } from 'node:crypto';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ByteRange, Content } from '../../content/content.ts';
import type {
  BlobFacts,
  BlobPage,
  ListPage,
  ObjectBackend,
  ObjectBackendCapabilities,
  ObjectBackendHealth,
  ObjectBackendKind,
  OpenBlob,
  PutOptions,
} from '../backend.ts';
import { bodyOf } from '../http/request-body.ts';
import { pathOfKey } from '../remote-tree/key-path.ts';
import { putInPlace, withUnknownOutcome } from '../remote-tree/place.ts';
import { openReply, rangeHeader } from '../http/ranged-read.ts';
import { listTree } from '../remote-tree/tree-list.ts';
import type { Environment } from './program.ts';
import type { Remote } from './remote.ts';
import { type RcloneSettings, readRclone, validateRclone } from './settings.ts';
import { type RunningRemote, Supervisor } from './supervisor.ts';

const BLOBS = 'blobs';
const UPLOADS = 'uploads';
const CLEANUP_TIMEOUT_MS = 10_000;

/**
 * Blobs on any remote of rclone, in the tree of the `webdav` adapter. On remotes made of buckets a blob is written under its
 * own name, since there it appears whole or not at all; on all others it stands in `uploads` until it is whole.
 */
class RcloneBackend implements ObjectBackend {
  readonly #settings: RcloneSettings;
  readonly #supervisor: Supervisor;
  readonly #cleanups = new Set<Promise<unknown>>();

  constructor(settings: RcloneSettings, environment: Environment) {
    this.#settings = settings;
    this.#supervisor = new Supervisor(settings, environment);
  }

  /** What the remote can do is known when rclone has run once. */
  get capabilities(): ObjectBackendCapabilities {
    return { serverSideCopy: this.#supervisor.features?.Copy ?? false, blobBytesMax: null };
  }

  async health(signal: AbortSignal): Promise<ObjectBackendHealth> {
    const { remote, features, version } = await this.#supervisor.running(signal);
    const { remoteType, remotePath } = this.#settings;
    // A bucket is made by the first put; a directory that is not there may be a disk that was not mounted.
    if (!(await remote.hasRoot(signal)) && !features.BucketBased) {
      throw new HoldfastError('backend', `${remote.who} has no directory at ${remotePath}.`);
    }
    const { free, total } = features.About ? await remote.space(signal) : { free: null, total: null };
    return { detail: `rclone ${version} with ${remoteType}:${remotePath}`, freeBytes: free, totalBytes: total };
  }

  async put(key: string, content: Content, { sizeBytes, signal }: PutOptions): Promise<void> {
    const running = await this.#supervisor.running(signal);
    const body = await bodyOf(content, sizeBytes, signal);
    await this.#inPlace(running, key, sizeBytes, signal, async (path) => {
      await running.remote.put(path, body, signal);
      return 'done';
    });
  }

  get(key: string, range: ByteRange | null, signal: AbortSignal): Promise<OpenBlob | null> {
    return this.#supervisor.again(signal, async ({ remote }) => {
      if (range?.length === 0) {
        const facts = await remote.facts(blobPath(key), signal);
        return facts === null
          ? null
          : { sizeBytes: facts.sizeBytes, content: Buffer.alloc(0), cancel: () => undefined };
      }
      const reply = await remote.get(blobPath(key), rangeHeader(range), signal);
      return reply === null ? null : openReply(reply, range, remote.who);
    });
  }

  head(key: string, signal: AbortSignal): Promise<BlobFacts | null> {
    return this.#supervisor.again(signal, async ({ remote }) => {
      const facts = await remote.facts(blobPath(key), signal);
      return facts === null ? null : { key, ...facts };
    });
  }

  delete(key: string, signal: AbortSignal): Promise<'deleted' | 'absent'> {
    return this.#supervisor.again(signal, async ({ remote, features }) => {
      if (!features.BucketBased) await deleteUploads(remote, key, signal);
      return remote.delete(blobPath(key), signal);
    });
  }

  list(page: ListPage, signal: AbortSignal): Promise<BlobPage> {
    return this.#supervisor.again(signal, ({ remote }) =>
      listTree((path, each) => remote.directory([BLOBS, ...path], each), page, signal),
    );
  }

  async copy(source: string, target: string, signal: AbortSignal): Promise<'copied' | 'absent'> {
    const running = await this.#supervisor.running(signal);
    const { remote, features } = running;
    if (!features.Copy) throw new HoldfastError('unsupported', `${remote.who} cannot copy by itself.`);
    const facts = await remote.facts(blobPath(source), signal);
    if (facts === null) return 'absent';
    const outcome = await this.#inPlace(running, target, facts.sizeBytes, signal, (path) =>
      remote.transfer('copy', blobPath(source), path, signal),
    );
    return outcome === 'done' ? 'copied' : 'absent';
  }

  async close(): Promise<void> {
    await this.#supervisor.close();
    await Promise.allSettled(this.#cleanups);
  }

  /** Has a blob written where no reader sees it before it is whole, and then looks that all of it is in its place. */
  async #inPlace(
    { remote, features }: RunningRemote,
    key: string,
    sizeBytes: number,
    signal: AbortSignal,
    write: (path: readonly string[]) => Promise<'done' | 'absent'>,
  ): Promise<'done' | 'absent'> {
    const target = blobPath(key);
    const look = async (): Promise<number | null> => (await remote.facts(target, signal))?.sizeBytes ?? null;
    if (features.BucketBased) {
      const outcome = await write(target).catch((error: unknown) => {
        // When the answer is lost, the bucket may have it all the same.
        const isLost = error instanceof HoldfastError && error.kind === 'unavailable' && !signal.aborted;
        throw isLost ? withUnknownOutcome(error) : error;
      });
      if (outcome === 'done') await putInPlace({ sizeBytes, signal, move: async () => undefined, look });
      return outcome;
    }
    if (!features.Move && !features.Copy) {
      const sentence = `${remote.who} can neither rename nor copy, so a blob could be seen half.`;
      throw new HoldfastError('unsupported', sentence);
    }
    const upload = [UPLOADS, `${uploadPrefix(key)}${randomUUID()}`];
    try {
      if ((await write(upload)) === 'absent') return 'absent';
      const move = async (): Promise<void> => {
        if ((await remote.transfer('move', upload, target, signal)) === 'done') return;
        throw new HoldfastError('backend', `${remote.who} lost an upload before it was renamed.`);
      };
      await putInPlace({ sizeBytes, signal, move, look });
      return 'done';
    } catch (error) {
      this.#cleanUp(upload);
      throw error;
    }
  }

  /** Takes an upload away that came to nothing, without holding up the caller; `delete` finds what is left. */
  #cleanUp(upload: readonly string[]): void {
    const signal = AbortSignal.timeout(CLEANUP_TIMEOUT_MS);
    const work = this.#supervisor
      .running(signal)
      .then(({ remote }) => remote.delete(upload, signal))
      .catch(() => undefined);
    this.#cleanups.add(work);
    void work.finally(() => this.#cleanups.delete(work));
  }
}

async function deleteUploads(remote: Remote, key: string, signal: AbortSignal): Promise<void> {
  const names: string[] = [];
  for await (const { name } of remote.directory([UPLOADS], signal)) {
    if (name.startsWith(uploadPrefix(key))) names.push(name);
  }
  for (const name of names) await remote.delete([UPLOADS, name], signal);
}

function blobPath(key: string): readonly string[] {
  return [BLOBS, ...pathOfKey(key)];
}

/** What the names of all uploads of a key begin with; each has more of its own, so that two never mix their bytes. */
function uploadPrefix(key: string): string {
  return `${createHash('sha256').update(key).digest('hex').slice(0, 32)}-`;
}

/** Opens a backend whose child finds rclone by this environment. */
export function openRclone(settings: RcloneSettings, environment: Environment): ObjectBackend {
  return new RcloneBackend(settings, environment);
}

/** `rclone`: config `remote_type`, `remote_path`, `option_<name>`; secrets `option_<name>`. */
export const rcloneKind: ObjectBackendKind = {
  kind: 'rclone',
  validate: validateRclone,
  open: (settings) => openRclone(readRclone(settings), process.env),
};
