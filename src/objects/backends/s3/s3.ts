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
import { S3Client, type S3Network } from './client.ts';
import { type CopyLimits, copyBlob, tooLarge } from './copy.ts';
import { blobBytesMax, partBytesMax } from './limits.ts';
import { listBlobs } from './list.ts';
import { putWhole } from './put.ts';
import { putParts } from './put-parts.ts';
import { checkBucket, headBlob, openBlob } from './read.ts';
import { removeBlob } from './remove.ts';
import { type S3Settings, readS3, validateS3 } from './settings.ts';

const KEY_BYTES_MAX = 1024;
const copyPartBytes = 512 * 1024 * 1024;

export interface S3Surroundings extends S3Network {
  /** From which size on a copy goes in parts, and in which; by default what S3 allows. */
  readonly copyLimits?: CopyLimits;
}

/** Blobs as objects of one bucket of any S3 server, below a prefix. */
export class S3Backend implements ObjectBackend {
  readonly capabilities = { serverSideCopy: true, blobBytesMax };
  readonly #settings: S3Settings;
  readonly #client: S3Client;
  readonly #copyLimits: CopyLimits;

  constructor(settings: S3Settings, surroundings: S3Surroundings = {}) {
    this.#settings = settings;
    this.#client = new S3Client(settings, surroundings);
    this.#copyLimits = surroundings.copyLimits ?? { wholeBytesMax: partBytesMax, partBytes: copyPartBytes };
  }

  /** S3 does not tell how much room there is. */
  async health(signal: AbortSignal): Promise<ObjectBackendHealth> {
    const { bucket, endpoint, prefix, isPathStyle, credentials } = this.#settings;
    await checkBucket(this.#client, signal);
    const below = prefix === '' ? '' : ` below ${JSON.stringify(prefix)}`;
    const style = isPathStyle ? 'path style' : 'virtual-host style';
    const detail = `S3 bucket ${bucket}${below} at ${endpoint.host} (${credentials.region}, ${style})`;
    return { detail, freeBytes: null, totalBytes: null };
  }

  async put(key: string, content: Content, options: PutOptions): Promise<void> {
    options.signal.throwIfAborted();
    const { sizeBytes } = options;
    if (sizeBytes > blobBytesMax) throw tooLarge(sizeBytes, blobBytesMax);
    const { partBytes } = this.#settings;
    const storedKey = this.#stored(key);
    if (sizeBytes <= partBytes) return putWhole(this.#client, storedKey, content, options);
    await putParts(this.#client, storedKey, content, { ...options, partBytes });
  }

  async get(key: string, range: ByteRange | null, signal: AbortSignal): Promise<OpenBlob | null> {
    return openBlob(this.#client, this.#stored(key), range, signal);
  }

  async head(key: string, signal: AbortSignal): Promise<BlobFacts | null> {
    const head = await headBlob(this.#client, key, this.#stored(key), signal);
    return head?.facts ?? null;
  }

  async delete(key: string, signal: AbortSignal): Promise<'deleted' | 'absent'> {
    return removeBlob(this.#client, this.#stored(key), signal);
  }

  async list(page: ListPage, signal: AbortSignal): Promise<BlobPage> {
    return listBlobs(this.#client, this.#settings.prefix, page, signal);
  }

  async copy(source: string, target: string, signal: AbortSignal): Promise<'copied' | 'absent'> {
    const paths = { source: this.#stored(source), target: this.#stored(target) };
    return copyBlob(this.#client, { ...paths, signal }, this.#copyLimits);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #stored(key: string): string {
    const stored = this.#settings.prefix + key;
    if (key === '' || Buffer.byteLength(stored) > KEY_BYTES_MAX) {
      const sentence = `A key must have 1 to ${KEY_BYTES_MAX} bytes, the prefix of the backend among them.`;
      throw new HoldfastError('invalid', sentence, { field: 'key' });
    }
    return stored;
  }
}

/**
 * `s3`: config `endpoint`, `bucket`, `region`, `prefix`, `path_style` (auto, true, false), `multipart_part_bytes`, timeouts,
 * `connections_max`, `ca` (PEM); secrets `access_key_id` and `secret_access_key`.
 */
export const s3Kind: ObjectBackendKind = {
  kind: 's3',
  validate: validateS3,
  open: (settings) => new S3Backend(readS3(settings)),
};
