import { objectError } from '../../errors.ts';

/** What a request's `x-amz-content-sha256` says of its body. */
export type PayloadForm = 'sha256' | 'unsigned' | 'signed-chunks' | 'signed-chunks-trailer' | 'unsigned-chunks-trailer';

/** What `x-amz-content-sha256` says where chunks have no signature to go on from. */
export interface PlainPayload {
  /** Such a body may be framed in chunks as well, and may announce its hash. */
  readonly payloadHash: string;
  readonly payload: Exclude<PayloadForm, 'signed-chunks' | 'signed-chunks-trailer'>;
}

export const unsignedPayload = 'UNSIGNED-PAYLOAD';

/** The SHA-256 of no bytes. */
export const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const forms: ReadonlyMap<string, PayloadForm> = new Map([
  [unsignedPayload, 'unsigned'],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'signed-chunks'],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', 'signed-chunks-trailer'],
  ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'unsigned-chunks-trailer'],
]);

/**
 * Throws `InvalidArgument` for any other value: a body in a framing that is not understood would be stored with its frames.
 */
export function parsePayloadHash(text: string): PayloadForm {
  const form = forms.get(text);
  if (form !== undefined) return form;
  if (/^[0-9a-f]{64}$/.test(text)) return 'sha256';
  const message = `x-amz-content-sha256 must be a SHA-256 in lower case hexadecimal or one of ${[...forms.keys()].join(', ')}.`;
  throw objectError('InvalidArgument', { field: 'x-amz-content-sha256' }, message);
}

/** Throws `AccessDenied` for signed chunks, and what `parsePayloadHash` throws. */
export function readPlainPayload(headers: ReadonlyMap<string, string>): PlainPayload {
  const payloadHash = headers.get('x-amz-content-sha256') ?? unsignedPayload;
  const payload = parsePayloadHash(payloadHash);
  if (payload === 'signed-chunks' || payload === 'signed-chunks-trailer') {
    const message = 'Chunks can be signed only where the request has a signature of version 4.';
    throw objectError('AccessDenied', { field: 'x-amz-content-sha256' }, message);
  }
  return { payloadHash, payload };
}
