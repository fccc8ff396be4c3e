import { algorithmOfHeader, checksumAlgorithms, checksumHeader, parseAlgorithm } from '../checksums/algorithm.ts';
import { parseDigest } from '../checksums/value.ts';
import { smallContentBytes } from '../content/content.ts';
import { hashBuffer } from '../content/hasher.ts';
import { objectError } from '../errors.ts';
import type { IncomingContent } from '../gateway.ts';
import type { ChecksumAlgorithm } from '../object.ts';
import type { BodyReader } from './body-reader.ts';
import { ChunkedDecoder, type ChunkedOptions } from './chunked/chunked-decoder.ts';

/** The largest content of one request (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). */
const contentBytesMax = 5 * 1024 ** 3;

/** What of a request says how its body is to be read. */
export interface IncomingRequest {
  readonly body: BodyReader;
  /** How its framing is decoded; `null` for a body without. */
  readonly framing: ChunkedOptions | null;
  /** As the signature covers it; `undefined` when it does not. */
  readonly sha256: string | undefined;
  header(name: string): string | undefined;
  readonly signal: AbortSignal;
}

type Announced = Pick<IncomingContent, 'md5' | 'checksums' | 'trailingChecksums' | 'sha256'>;

/**
 * A body as the content of an object. A small one is here whole when this resolves; a large one comes when it is read.
 * Throws `MissingContentLength`, `EntityTooLarge`, `InvalidDigest` and `InvalidRequest`.
 */
export async function readIncoming(request: IncomingRequest): Promise<IncomingContent> {
  const { body, framing, signal } = request;
  if (framing === null && !body.hasLength) throw objectError('MissingContentLength');
  const sizeBytes = framing === null ? body.contentLength! : framing.decodedLength;
  if (sizeBytes > contentBytesMax) {
    throw objectError('EntityTooLarge', { size_bytes: sizeBytes, size_bytes_max: contentBytesMax });
  }
  const decoding = framing === null ? null : new Decoding(body, framing);
  const announced = announcedIn(request, decoding);
  // A framed body is as long as its chunks make it, so that only what comes is counted, and never more than the frames allow.
  if (sizeBytes > smallContentBytes) {
    return { ...announced, sizeBytes, content: decoding === null ? exactly(body) : decoding.chunks(), signal };
  }
  const content = decoding === null ? await body.collect(sizeBytes) : await decoding.collect(sizeBytes);
  if (content.length !== sizeBytes) throw objectError('IncompleteBody');
  return { ...announced, sizeBytes, content, signal };
}

/** A body as text of at most `bytesMax` bytes in UTF-8, its digests checked. Throws `MaxMessageLengthExceeded`. */
export async function readText(
  request: IncomingRequest,
  bytesMax: number,
  checksumsOf: 'body' | 'object' = 'body',
): Promise<string> {
  const { body, framing } = request;
  if ((framing?.decodedLength ?? 0) > bytesMax) {
    throw objectError('MaxMessageLengthExceeded', { size_bytes_max: bytesMax });
  }
  const decoding = framing === null ? null : new Decoding(body, framing);
  const announced = announcedIn(request, decoding, checksumsOf);
  const content = decoding === null ? await body.collect(bytesMax) : await decoding.collect(bytesMax);
  hashBuffer(content, announced);
  return content.toString();
}

/** Whether the client sent anything by which its body can be checked, which some operations demand. */
export function hasDigest(header: (name: string) => string | undefined): boolean {
  if (header('content-md5') !== undefined || header('x-amz-trailer') !== undefined) return true;
  return checksumAlgorithms.some((algorithm) => header(checksumHeader(algorithm)) !== undefined);
}

function announcedIn(
  { header, sha256 }: IncomingRequest,
  decoding: Decoding | null,
  checksumsOf: 'body' | 'object' = 'body',
): Announced {
  const md5 = header('content-md5');
  const checksums = checksumsOf === 'body' ? checksumsIn(header) : [];
  const trailing = decoding?.trailing ?? [];
  for (const algorithm of trailing) {
    if (!checksums.some((one) => one.algorithm === algorithm)) checksums.push({ algorithm });
  }
  return {
    ...(md5 === undefined ? {} : { md5: parseDigest('MD5', md5) }),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(checksums.length === 0 ? {} : { checksums }),
    ...(trailing.length === 0 ? {} : { trailingChecksums: () => decoding!.trailers() }),
  };
}

function checksumsIn(
  header: (name: string) => string | undefined,
): { algorithm: ChecksumAlgorithm; expected?: string }[] {
  const found: { algorithm: ChecksumAlgorithm; expected?: string }[] = [];
  for (const algorithm of checksumAlgorithms) {
    const expected = header(checksumHeader(algorithm));
    if (expected === undefined) continue;
    parseDigest(algorithm, expected);
    found.push({ algorithm, expected });
  }
  if (found.length > 1) throw objectError('InvalidRequest', {}, 'Only one x-amz-checksum- header is expected.');
  const field = 'x-amz-sdk-checksum-algorithm';
  const named = header(field);
  if (named === undefined) return found;
  const algorithm = parseAlgorithm(named);
  if (algorithm === undefined)
    throw objectError('InvalidRequest', { field }, `The value of ${field} is not supported.`);
  if (!found.some((one) => one.algorithm === algorithm)) found.push({ algorithm });
  return found;
}

/** The chunks of a body without framing; a client that sends too few or too many has been found out by the HTTP parser. */
async function* exactly(body: BodyReader): AsyncGenerator<Buffer> {
  for (let chunk = await body.next(); chunk !== null; chunk = await body.next()) yield chunk;
}

/** A framed body, decoded and verified as it comes. */
class Decoding {
  readonly #body: BodyReader;
  readonly #decoder: ChunkedDecoder;
  #trailers: ReadonlyMap<string, string> | null = null;
  /** The checksums that are announced to follow the content. */
  readonly trailing: readonly ChecksumAlgorithm[];

  constructor(body: BodyReader, framing: ChunkedOptions) {
    this.#body = body;
    this.#decoder = new ChunkedDecoder(framing);
    this.trailing = framing.trailers.map(algorithmOfHeader).filter((algorithm) => algorithm !== undefined);
  }

  async *chunks(): AsyncGenerator<Buffer> {
    for (let wire = await this.#body.next(); wire !== null; wire = await this.#body.next()) {
      yield* this.#decoder.push(wire);
    }
    this.#trailers = this.#decoder.end().trailers;
  }

  async collect(bytesMax: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of this.chunks()) {
      length += chunk.length;
      if (length > bytesMax) throw objectError('MaxMessageLengthExceeded', { size_bytes_max: bytesMax });
      chunks.push(chunk);
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
  }

  /** Of a body that has ended. Throws `MalformedTrailerError` for a value that is no digest. */
  trailers(): { algorithm: ChecksumAlgorithm; expected: string }[] {
    return this.trailing.map((algorithm) => {
      const expected = this.#trailers?.get(checksumHeader(algorithm)) ?? '';
      try {
        parseDigest(algorithm, expected);
      } catch {
        throw objectError('MalformedTrailerError');
      }
      return { algorithm, expected };
    });
  }
}
