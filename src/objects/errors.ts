import { type ErrorDetails, type ErrorKind, HoldfastError } from '../kernel/errors/errors.ts';

/**
 * The codes of S3 that the gateway answers with, each with its HTTP status, our kind and the sentence for people
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). The S3 face renders code and status, the API its
 * own code and the same status.
 */
export const objectErrors = {
  AccessControlListNotSupported: [400, 'invalid', 'The bucket does not allow ACLs.'],
  AccessDenied: [403, 'forbidden', 'Access denied.'],
  AccessForbidden: [403, 'forbidden', 'CORSResponse: this request is not allowed by the bucket.'],
  AuthorizationHeaderMalformed: [400, 'invalid', 'The Authorization header is malformed.'],
  AuthorizationQueryParametersError: [400, 'invalid', 'The query parameters of the signature are malformed.'],
  BadDigest: [400, 'invalid', 'The checksum that was sent does not match the content that came.'],
  BadRequest: [400, 'invalid', 'The request is not valid.'],
  BucketAlreadyExists: [409, 'conflict', 'The bucket exists already and belongs to another user.'],
  BucketAlreadyOwnedByYou: [409, 'conflict', 'The bucket exists already, and it is yours.'],
  BucketNotEmpty: [409, 'conflict', 'The bucket is not empty.'],
  ConditionalRequestConflict: [409, 'conflict', 'Another write of this key came in between; try again.'],
  EntityTooLarge: [400, 'invalid', 'The object is larger than what is allowed.'],
  EntityTooSmall: [400, 'invalid', 'A part other than the last is smaller than 5 MiB.'],
  IllegalLocationConstraintException: [400, 'invalid', 'The location constraint is not the region of this server.'],
  IllegalVersioningConfigurationException: [400, 'invalid', 'The versioning configuration is not valid.'],
  IncompleteBody: [400, 'invalid', 'Fewer bytes came than were announced.'],
  InsufficientStorage: [507, 'unavailable', 'No backend has room for this object.'],
  InternalError: [500, 'internal', 'Something went wrong inside the server; try again.'],
  InvalidAccessKeyId: [403, 'forbidden', 'The access key is not known.'],
  InvalidArgument: [400, 'invalid', 'An argument is not valid.'],
  InvalidBucketName: [400, 'invalid', 'The bucket name is not valid.'],
  InvalidBucketState: [409, 'conflict', 'The bucket is not in a state that allows this.'],
  InvalidChunkSizeError: [403, 'forbidden', 'A chunk of the body is not valid.'],
  InvalidDigest: [400, 'invalid', 'The Content-MD5 header is not valid.'],
  InvalidEncryptionAlgorithmError: [400, 'invalid', 'The encryption algorithm is not valid; there is only AES256.'],
  InvalidPart: [400, 'invalid', 'A part was not found, or its ETag does not match.'],
  InvalidPartNumber: [416, 'invalid', 'The object has no part of this number.'],
  InvalidPartOrder: [400, 'invalid', 'Parts must be listed in ascending order.'],
  InvalidPolicyDocument: [400, 'invalid', 'The policy of the form is not valid.'],
  InvalidRange: [416, 'invalid', 'The range cannot be satisfied.'],
  InvalidRequest: [400, 'invalid', 'The request is not valid.'],
  InvalidStorageClass: [400, 'invalid', 'There is no storage class of this name.'],
  InvalidTag: [400, 'invalid', 'A tag is not valid.'],
  InvalidURI: [400, 'invalid', 'The URI is not valid.'],
  'KMS.NotFoundException': [400, 'invalid', 'There is no root key of this id.'],
  KeyTooLongError: [400, 'invalid', 'The key is longer than 1,024 bytes.'],
  MalformedACLError: [400, 'invalid', 'The ACL is not valid.'],
  MalformedPOSTRequest: [400, 'invalid', 'The form is not well-formed multipart/form-data.'],
  MalformedPolicy: [400, 'invalid', 'The policy is not valid.'],
  MalformedTrailerError: [400, 'invalid', 'The trailer of the body is not valid.'],
  MalformedXML: [400, 'invalid', 'The XML is not well-formed or not what was expected.'],
  MaxMessageLengthExceeded: [400, 'invalid', 'The request is too large.'],
  MetadataTooLarge: [400, 'invalid', 'The metadata headers exceed 2 KB.'],
  MethodNotAllowed: [405, 'invalid', 'The method is not allowed on this resource.'],
  MissingContentLength: [411, 'invalid', 'The Content-Length header is needed.'],
  MissingFields: [400, 'invalid', 'A field is missing.'],
  MissingSecurityHeader: [400, 'invalid', 'A header that is needed is missing.'],
  NoSuchBucket: [404, 'not_found', 'The bucket does not exist.'],
  NoSuchBucketPolicy: [404, 'not_found', 'The bucket has no policy.'],
  NoSuchCORSConfiguration: [404, 'not_found', 'The bucket has no CORS configuration.'],
  NoSuchKey: [404, 'not_found', 'The key does not exist.'],
  NoSuchLifecycleConfiguration: [404, 'not_found', 'The bucket has no lifecycle configuration.'],
  NoSuchObjectLockConfiguration: [404, 'not_found', 'The object has no lock configuration.'],
  NoSuchPublicAccessBlockConfiguration: [404, 'not_found', 'The bucket has no public access block.'],
  NoSuchTagSet: [404, 'not_found', 'There are no tags.'],
  NoSuchUpload: [404, 'not_found', 'The upload does not exist; it may have been completed or aborted.'],
  NoSuchVersion: [404, 'not_found', 'The version does not exist.'],
  NotImplemented: [501, 'unsupported', 'This is not implemented.'],
  ObjectLockConfigurationNotFoundError: [404, 'not_found', 'The bucket has no object lock.'],
  OperationAborted: [409, 'conflict', 'Another operation on this resource is under way; try again.'],
  OwnershipControlsNotFoundError: [404, 'not_found', 'The bucket has no ownership controls.'],
  PermanentRedirect: [301, 'invalid', 'The bucket must be addressed otherwise.'],
  PreconditionFailed: [412, 'conflict', 'A condition of the request does not hold.'],
  QuotaExceeded: [403, 'forbidden', 'The quota is used up.'],
  RequestHeaderSectionTooLarge: [400, 'invalid', 'The headers are too large.'],
  RequestTimeTooSkewed: [403, 'forbidden', 'The time of the request differs too much from the time here.'],
  RequestTimeout: [400, 'invalid', 'The body did not come in time.'],
  ServerSideEncryptionConfigurationNotFoundError: [404, 'not_found', 'The bucket has no encryption configuration.'],
  ServiceUnavailable: [503, 'unavailable', 'The service cannot do this now; try again.'],
  SignatureDoesNotMatch: [403, 'forbidden', 'The signature that was sent is not the one that was calculated.'],
  SlowDown: [503, 'overloaded', 'Too many requests; slow down.'],
  TooManyBuckets: [400, 'invalid', 'There are too many buckets.'],
  UnexpectedContent: [400, 'invalid', 'This request takes no body.'],
  XAmzContentChecksumMismatch: [400, 'invalid', 'A checksum header does not match the content that came.'],
  XAmzContentSHA256Mismatch: [400, 'invalid', 'The x-amz-content-sha256 header does not match the content that came.'],
} as const satisfies Readonly<Record<string, readonly [number, ErrorKind, string]>>;

export type ObjectErrorCode = keyof typeof objectErrors;

/** An error that both faces know how to tell. `message` replaces the code's own sentence where more can be said. */
export function objectError(code: ObjectErrorCode, details: ErrorDetails = {}, message?: string): HoldfastError {
  const [status, kind, sentence] = objectErrors[code];
  return new HoldfastError(kind, message ?? sentence, { s3: code, http_status: status, ...details });
}

/** The S3 code of any error; what is not of the gateway becomes the nearest one. */
export function s3CodeOf(error: unknown): ObjectErrorCode {
  if (!(error instanceof HoldfastError)) return 'InternalError';
  const code = error.details['s3'];
  if (typeof code === 'string' && code in objectErrors) return code as ObjectErrorCode;
  return codeOfKind[error.kind];
}

const codeOfKind: Readonly<Record<ErrorKind, ObjectErrorCode>> = {
  invalid: 'InvalidRequest',
  not_found: 'NoSuchKey',
  conflict: 'OperationAborted',
  unsupported: 'NotImplemented',
  backend: 'ServiceUnavailable',
  unavailable: 'ServiceUnavailable',
  overloaded: 'SlowDown',
  unauthorized: 'AccessDenied',
  forbidden: 'AccessDenied',
  internal: 'InternalError',
};
