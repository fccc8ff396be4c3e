import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { type ByteRange, type Content, smallContentBytes } from '../../content/content.ts';
import type {
  BlobFacts,
  BlobPage,
  ListPage,
  ObjectBackend,
  ObjectBackendCapabilities,
  ObjectBackendHealth,
  OpenBlob,
  PutOptions,
} from '../backend.ts';
import { exactContent } from '../../content/exact-content.ts';
import { type FaultVerb, type ObjectFault, afterWork, beforeWork, full, takeFault, throughFault } from './faults.ts';

const CHUNK_BYTES = 65_536;

export interface MemoryBackendOptions {
  /** What fits in all; a put that would exceed it is refused as by a full disk. */
  readonly capacityBytes?: number;
  readonly blobBytesMax?: number | null;
  readonly serverSideCopy?: boolean;
}

interface MemoryBlob {
  readonly bytes: Buffer;
  readonly modifiedAtMs: number;
}

/** Holds blobs in this process, and fails as it is told to. For tests of what stands above the port. */
export class MemoryObjectBackend implements ObjectBackend {
  readonly capabilities: ObjectBackendCapabilities;
  /** What is held, open to tests that look at it or spoil it. */
  readonly blobs = new Map<string, MemoryBlob>();
  /** What goes wrong, in the order in which it is tried. */
  readonly faults: ObjectFault[] = [];
  /** Every call so far. */
  readonly calls: { readonly verb: FaultVerb; readonly key: string }[] = [];
  readonly #capacityBytes: number;

  constructor(options: MemoryBackendOptions = {}) {
    const { serverSideCopy = true, blobBytesMax = null, capacityBytes = Number.POSITIVE_INFINITY } = options;
    this.capabilities = { serverSideCopy, blobBytesMax };
    this.#capacityBytes = capacityBytes;
  }

  get usedBytes(): number {
    let sum = 0;
    for (const { bytes } of this.blobs.values()) sum += bytes.length;
    return sum;
  }

  async health(signal: AbortSignal): Promise<ObjectBackendHealth> {
    return this.#work('health', '', signal, () => {
      const isBounded = Number.isFinite(this.#capacityBytes);
      const freeBytes = isBounded ? this.#capacityBytes - this.usedBytes : null;
      return { detail: 'memory of this process', freeBytes, totalBytes: isBounded ? this.#capacityBytes : null };
    });
  }

  async put(key: string, content: Content, options: PutOptions): Promise<void> {
    const { sizeBytes, signal } = options;
    const fault = this.#begin('put', key);
    await beforeWork(fault, signal);
    const { blobBytesMax } = this.capabilities;
    if (blobBytesMax !== null && sizeBytes > blobBytesMax) {
      throw new HoldfastError('invalid', `The memory backend takes at most ${blobBytesMax} bytes a blob.`);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of throughFault(exactContent(content, sizeBytes, signal), fault, signal)) chunks.push(chunk);
    signal.throwIfAborted();
    const bytes = spoiled(Buffer.concat(chunks), fault);
    if (this.usedBytes - (this.blobs.get(key)?.bytes.length ?? 0) + bytes.length > this.#capacityBytes) throw full();
    this.blobs.set(key, { bytes, modifiedAtMs: Date.now() });
    afterWork(fault);
  }

  async get(key: string, range: ByteRange | null, signal: AbortSignal): Promise<OpenBlob | null> {
    const fault = this.#begin('get', key);
    await beforeWork(fault, signal);
    const blob = this.blobs.get(key);
    if (blob === undefined) return null;
    const bytes = spoiled(blob.bytes, fault);
    const part = range === null ? bytes : bytes.subarray(range.offset, range.offset + range.length);
    const content = throughFault(inChunks(part, signal), fault, signal);
    const isPlain = fault === null || fault.effect === 'corrupt' || fault.effect === 'shrink';
    const isSmall = part.length <= smallContentBytes && isPlain;
    afterWork(fault);
    const cancel = () => void content.return(undefined);
    return { sizeBytes: bytes.length, content: isSmall ? part : content, cancel };
  }

  async head(key: string, signal: AbortSignal): Promise<BlobFacts | null> {
    return this.#work('head', key, signal, (fault) => {
      const blob = this.blobs.get(key);
      return blob === undefined ? null : factsOf(key, blob, fault);
    });
  }

  async delete(key: string, signal: AbortSignal): Promise<'deleted' | 'absent'> {
    return this.#work('delete', key, signal, () => (this.blobs.delete(key) ? 'deleted' : 'absent'));
  }

  async list({ prefix, after, limit }: ListPage, signal: AbortSignal): Promise<BlobPage> {
    return this.#work('list', prefix, signal, (fault) => {
      const isWanted = (key: string) =>
        key.startsWith(prefix) && (after === undefined || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0);
      const keys = [...this.blobs.keys()].filter(isWanted);
      const sorted = keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const blobs = sorted.slice(0, limit).map((key) => factsOf(key, this.blobs.get(key)!, fault));
      return { blobs, isTruncated: sorted.length > limit };
    });
  }

  async copy(source: string, target: string, signal: AbortSignal): Promise<'copied' | 'absent'> {
    return this.#work('copy', source, signal, () => {
      if (!this.capabilities.serverSideCopy) {
        throw new HoldfastError('unsupported', 'This memory backend was made without copies.');
      }
      const blob = this.blobs.get(source);
      if (blob === undefined) return 'absent';
      this.blobs.set(target, { ...blob, modifiedAtMs: Date.now() });
      return 'copied';
    });
  }

  async close(): Promise<void> {
    // Nothing is open.
  }

  async #work<T>(
    verb: FaultVerb,
    key: string,
    signal: AbortSignal,
    work: (fault: ObjectFault | null) => T,
  ): Promise<T> {
    const fault = this.#begin(verb, key);
    await beforeWork(fault, signal);
    const result = work(fault);
    afterWork(fault);
    return result;
  }

  #begin(verb: FaultVerb, key: string): ObjectFault | null {
    this.calls.push({ verb, key });
    return takeFault(this.faults, verb, key);
  }
}

function factsOf(key: string, { bytes, modifiedAtMs }: MemoryBlob, fault: ObjectFault | null): BlobFacts {
  return { key, sizeBytes: spoiled(bytes, fault).length, modifiedAtMs };
}

/** The bytes with what a fault has done to them at rest. */
function spoiled(bytes: Buffer, fault: ObjectFault | null): Buffer {
  const at = fault?.afterBytes ?? 0;
  if (fault?.effect === 'shrink') return bytes.subarray(0, at);
  if (fault?.effect !== 'corrupt' || bytes.length <= at) return bytes;
  const other = Buffer.from(bytes);
  other[at]! ^= 0xff;
  return other;
}

async function* inChunks(bytes: Buffer, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
    signal.throwIfAborted();
    yield bytes.subarray(offset, offset + CHUNK_BYTES);
  }
  signal.throwIfAborted();
}
