import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type ObjectErrorCode, objectErrors, s3CodeOf } from '../errors.ts';
import type { XmlElement } from './command.ts';
import { leaf } from './xml/writer.ts';

export interface ErrorReply {
  readonly code: ObjectErrorCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly element: XmlElement;
}

/** What AWS calls our details. Details that are not here are for logs, and never told. */
const elementNames: Readonly<Record<string, string>> = {
  access_key: 'AWSAccessKeyId',
  actual_size_bytes: 'ActualObjectSize',
  announced: 'ExpectedDigest',
  argument: 'ArgumentName',
  bucket: 'BucketName',
  calculated: 'CalculatedDigest',
  canonical_request: 'CanonicalRequest',
  condition: 'Condition',
  expires: 'Expires',
  field: 'Header',
  headers_not_signed: 'HeadersNotSigned',
  key: 'Key',
  maximum_skew_ms: 'MaxAllowedSkewMilliseconds',
  method: 'Method',
  part_number: 'PartNumber',
  parts_count: 'ActualPartCount',
  range: 'RangeRequested',
  reason: 'Reason',
  region: 'Region',
  request_time: 'RequestTime',
  resource_type: 'ResourceType',
  server_time: 'ServerTime',
  signature_provided: 'SignatureProvided',
  size_bytes: 'ProposedSize',
  size_bytes_max: 'MaxSizeAllowed',
  string_to_sign: 'StringToSign',
  upload_id: 'UploadId',
  value: 'ArgumentValue',
  version_id: 'VersionId',
};

/** Of one detail: a canonical request may hold all headers of the request. */
const detailCharactersMax = 8_192;
const retryAfterSeconds = '1';

/**
 * Any error as S3 tells it (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). Faults of ours, and what did
 * not come from the gateway itself, say no more than their code: their messages may name what is not the client's affair.
 */
export function errorReply(error: unknown, resource: string, requestId: string, hostId: string): ErrorReply {
  const code = s3CodeOf(error);
  const [status, , sentence] = objectErrors[code];
  const isFault = status >= 500 && code !== 'NotImplemented';
  const ours = error instanceof HoldfastError && error.details['s3'] === code ? error : null;
  return {
    code,
    status,
    headers: ours === null ? retryHeaders(status) : { ...retryHeaders(status), ...headersOf(ours) },
    element: {
      name: 'Error',
      attributes: {},
      children: [
        leaf('Code', code),
        leaf('Message', ours === null || isFault ? sentence : ours.message),
        ...(ours === null || isFault ? [] : detailsOf(ours)),
        leaf('Resource', resource),
        leaf('RequestId', requestId),
        leaf('HostId', hostId),
      ],
    },
  };
}

function retryHeaders(status: number): Readonly<Record<string, string>> {
  return status === 503 ? { 'retry-after': retryAfterSeconds } : {};
}

function detailsOf({ details }: HoldfastError): XmlElement[] {
  const elements: XmlElement[] = [];
  for (const [key, value] of Object.entries(details)) {
    const name = elementNames[key];
    if (name === undefined || (typeof value !== 'string' && typeof value !== 'number')) continue;
    elements.push(leaf(name, String(value).slice(0, detailCharactersMax)));
  }
  return elements;
}

/** `reply_headers` are headers of the answer; `marker` is the version of a delete marker that was met. */
function headersOf({ details }: HoldfastError): Readonly<Record<string, string>> {
  const { reply_headers: headers, marker, s3: code } = details;
  return {
    ...(typeof headers === 'object' && headers !== null ? (headers as Readonly<Record<string, string>>) : {}),
    // All that can be done with a delete marker is to delete it.
    ...(typeof marker === 'string' && code === 'MethodNotAllowed' ? { allow: 'DELETE' } : {}),
    ...(typeof marker === 'string' ? { 'x-amz-delete-marker': 'true', 'x-amz-version-id': marker } : {}),
  };
}
