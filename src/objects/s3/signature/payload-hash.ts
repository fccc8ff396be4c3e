import { objectError } from '../../errors.ts';

/** What a request's `x-amz-content-sha256` says of its body. */
export type PayloadForm = 'sha256' | 'unsigned' | 'signed-chunks' | 'signed-chunks-trailer' | 'unsigned-chunks-trailer';

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
