import { hash } from 'node:crypto';
import { ChunkSignatures, type ChunkSigning } from './chunk-signatures.ts';

export interface Encoding {
  readonly signing: ChunkSigning | null;
  /** How long the chunks are, in turn; the rest of the payload is one more. */
  readonly chunkLengths?: readonly number[];
  /** In the order of the wire; `undefined` for a form without trailers. */
  readonly trailers?: readonly (readonly [name: string, value: string])[];
  /** What ends a trailer's line, CR LF by default. */
  readonly trailerEnd?: '\r\n' | '\n\r\n';
}

/** A payload in the framing that clients send: each part of it, so that tests can leave out or change one. */
export function encodeChunked(payload: Buffer, encoding: Encoding): Buffer[] {
  const { signing, chunkLengths = [], trailers, trailerEnd = '\r\n' } = encoding;
  const signatures = signing === null ? null : new ChunkSignatures(signing);
  const parts: Buffer[] = [];
  const addHeader = (chunk: Buffer) => {
    const signature = signatures?.signChunk(hash('sha256', chunk, 'hex'));
    const extension = signature === undefined ? '' : `;chunk-signature=${signature}`;
    parts.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`));
  };
  let start = 0;
  for (const length of [...chunkLengths, payload.length]) {
    const chunk = payload.subarray(start, start + length);
    start += chunk.length;
    if (chunk.length > 0) {
      addHeader(chunk);
      parts.push(chunk, Buffer.from('\r\n'));
    }
  }
  addHeader(Buffer.alloc(0));
  for (const [name, value] of trailers ?? []) parts.push(Buffer.from(`${name}:${value}${trailerEnd}`));
  if (trailers !== undefined && signatures !== null) {
    const signature = signatures.signTrailers(trailers.map(([name, value]) => `${name}:${value}\n`).join(''));
    parts.push(Buffer.from(`x-amz-trailer-signature:${signature}\r\n`));
  }
  parts.push(Buffer.from('\r\n'));
  return parts;
}
