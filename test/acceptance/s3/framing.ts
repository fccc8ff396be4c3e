import { signingKey } from '../../../src/objects/s3/signature/signing-key.ts';
import { encodeChunked } from '../../../src/objects/s3/chunked/encode-chunked.fixture.ts';
import type { SigningCredentials } from '../../../src/objects/s3/signature/sign.ts';
import { type Ask, signedHeaders } from './wire.ts';

export interface Framed {
  readonly payload: Buffer;
  readonly target: string;
  readonly isSigned: boolean;
  readonly trailers?: readonly (readonly [name: string, value: string])[];
  readonly headers?: Readonly<Record<string, string>>;
  /** What is announced as the length of the payload; its own by default. */
  readonly decodedLength?: string;
  readonly chunkLengths?: readonly number[];
}

/** A PUT whose body is framed in chunks: its headers, signed, and the pieces of its body. */
export function framedPut(
  baseUrl: string,
  as: SigningCredentials,
  framed: Framed,
): { readonly ask: Ask; readonly rawHeaders: string[]; readonly parts: Buffer[] } {
  const { payload, target, isSigned, trailers, chunkLengths = [] } = framed;
  const form = isSigned ? 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' : 'STREAMING-UNSIGNED-PAYLOAD';
  const payloadHash = trailers === undefined ? form : `${form}-TRAILER`;
  const headers = {
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': framed.decodedLength ?? String(payload.length),
    ...(trailers === undefined ? {} : { 'x-amz-trailer': trailers.map(([name]) => name).join(',') }),
    ...framed.headers,
  };
  const ask: Ask = { method: 'PUT', target, headers, payloadHash };
  const rawHeaders = signedHeaders(baseUrl, ask, as);
  const amzDate = valueOf(rawHeaders, 'x-amz-date');
  const scope = { date: amzDate.slice(0, 8), region: as.region };
  const seedSignature = /Signature=(\w+)/.exec(valueOf(rawHeaders, 'authorization'))![1]!;
  const signing = isSigned ? { signingKey: signingKey(as.secret, scope), scope, amzDate, seedSignature } : null;
  const parts = encodeChunked(payload, { signing, chunkLengths, ...(trailers === undefined ? {} : { trailers }) });
  return { ask, rawHeaders, parts };
}

function valueOf(rawHeaders: readonly string[], name: string): string {
  return rawHeaders[rawHeaders.indexOf(name) + 1]!;
}
