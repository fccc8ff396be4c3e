import type { PayloadForm, PlainPayload } from './payload-hash.ts';

/**
 * A request as a signature covers it: what stood on the wire, before anything was decoded. Each character of its strings
 * is one byte (Latin-1), as Node gives request targets and header values.
 */
export interface SignedRequest {
  readonly method: string;
  /** The request target before `?`. */
  readonly rawPath: string;
  /** The request target after `?`; empty without one. */
  readonly rawQuery: string;
  /** Names and values in turn, as `IncomingMessage.rawHeaders`. */
  readonly rawHeaders: readonly string[];
  /** The bucket that the host names, in the virtual-host style. Version 4 signs the host itself. */
  readonly hostBucket?: string | undefined;
}

/** What a signing key is good for. The service is always `s3`. */
export interface CredentialScope {
  /** `yyyyMMdd`, in UTC. */
  readonly date: string;
  /** Any region is accepted: clients name the one they were configured with. */
  readonly region: string;
}

/** What a signature claims, before it is verified: nothing of it may be believed yet. */
export interface SignatureClaim {
  readonly kind: 'header' | 'presigned';
  readonly accessKey: string;
  readonly scope: CredentialScope;
  /** Names in lower case, in the order of the signature. */
  readonly signedHeaders: readonly string[];
  /** 64 hexadecimal digits in lower case. */
  readonly signature: string;
  /** When it was signed, as the string to sign has it: `yyyyMMddTHHmmssZ`. */
  readonly amzDate: string;
  readonly timeMs: number;
  /** Of the whole request, folded, signed or not. */
  readonly headers: ReadonlyMap<string, string>;
  /** As the canonical request ends. */
  readonly payloadHash: string;
  readonly payload: PayloadForm;
}

export interface AnonymousRequest extends PlainPayload {
  readonly kind: 'anonymous';
  /** Folded. */
  readonly headers: ReadonlyMap<string, string>;
}

/** What a presigned URL of Signature Version 2 claims, before it is verified. */
export interface PresignedV2Claim extends PlainPayload {
  readonly kind: 'presigned-v2';
  /** Unfolded, with those that the query carries. */
  readonly headers: ReadonlyMap<string, string>;
  readonly accessKey: string;
  /** In base64. */
  readonly signature: string;
  /** What may have been signed, each character one byte: signers name a bucket in two ways. */
  readonly stringsToSign: readonly string[];
}

export type Authorization = AnonymousRequest | SignatureClaim | PresignedV2Claim;

export const signingAlgorithm = 'AWS4-HMAC-SHA256';

/** A scope as credentials and strings to sign write it. */
export function formatScope(scope: CredentialScope): string {
  return `${scope.date}/${scope.region}/s3/aws4_request`;
}
