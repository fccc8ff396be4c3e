import { createHash } from 'node:crypto';
import type { Ask } from './wire.ts';

/** One operation of S3, with a request for it that is right in form. */
export interface Operation {
  readonly name: string;
  /** What a grant must allow for it; `owner`: only the bucket's owner may, `anyone`: whoever has a key. */
  readonly needs: 'list' | 'read' | 'write' | 'delete' | 'tags' | 'owner' | 'create' | 'anyone';
  /** On this bucket, and on its object `k`. */
  ask(bucket: string): Ask;
}

type Row = readonly [name: string, needs: Operation['needs'], method: string, target: string, body?: string];

const upload = 'uploadId=none';
const lock = '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>';
const cors =
  '<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>';
const lifecycle =
  '<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>p/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>';
const encryption =
  '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>';
const block =
  '<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>';
const ownership =
  '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>';
const tagging = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>';
const complete =
  '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag></Part></CompleteMultipartUpload>';
const policy =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObjectTorrent","Resource":"arn:aws:s3:::BUCKET/*"}]}';

/** `B` stands for the bucket. */
const rows: readonly Row[] = [
  ['ListBuckets', 'anyone', 'GET', '/'],
  ['CreateBucket', 'create', 'PUT', '/B'],
  ['DeleteBucket', 'owner', 'DELETE', '/B'],
  ['HeadBucket', 'list', 'HEAD', '/B'],
  ['GetBucketLocation', 'list', 'GET', '/B?location'],
  ['ListObjects', 'list', 'GET', '/B'],
  ['ListObjectsV2', 'list', 'GET', '/B?list-type=2'],
  ['ListObjectVersions', 'list', 'GET', '/B?versions'],
  ['PutObject', 'write', 'PUT', '/B/k', 'content'],
  ['GetObject', 'read', 'GET', '/B/k'],
  ['HeadObject', 'read', 'HEAD', '/B/k'],
  ['DeleteObject', 'delete', 'DELETE', '/B/k'],
  ['DeleteObjects', 'delete', 'POST', '/B?delete', '<Delete><Object><Key>k</Key></Object></Delete>'],
  ['CopyObject', 'write', 'PUT', '/B/copied'],
  ['GetObjectAttributes', 'read', 'GET', '/B/k?attributes'],
  ['CreateMultipartUpload', 'write', 'POST', '/B/m?uploads'],
  ['UploadPart', 'write', 'PUT', `/B/m?partNumber=1&${upload}`, 'content'],
  ['UploadPartCopy', 'write', 'PUT', `/B/m?partNumber=1&${upload}`],
  ['CompleteMultipartUpload', 'write', 'POST', `/B/m?${upload}`, complete],
  ['AbortMultipartUpload', 'write', 'DELETE', `/B/m?${upload}`],
  ['ListParts', 'list', 'GET', `/B/m?${upload}`],
  ['ListMultipartUploads', 'list', 'GET', '/B?uploads'],
  ['DeleteBucketCors', 'owner', 'DELETE', '/B?cors'],
  ['DeleteBucketEncryption', 'owner', 'DELETE', '/B?encryption'],
  ['DeleteBucketLifecycle', 'owner', 'DELETE', '/B?lifecycle'],
  ['DeleteBucketOwnershipControls', 'owner', 'DELETE', '/B?ownershipControls'],
  ['DeleteBucketPolicy', 'owner', 'DELETE', '/B?policy'],
  ['DeleteBucketTagging', 'tags', 'DELETE', '/B?tagging'],
  ['DeleteObjectTagging', 'tags', 'DELETE', '/B/k?tagging'],
  ['DeletePublicAccessBlock', 'owner', 'DELETE', '/B?publicAccessBlock'],
  ['GetBucketAccelerateConfiguration', 'owner', 'GET', '/B?accelerate'],
  ['GetBucketAcl', 'owner', 'GET', '/B?acl'],
  ['GetBucketCors', 'owner', 'GET', '/B?cors'],
  ['GetBucketEncryption', 'list', 'GET', '/B?encryption'],
  ['GetBucketLifecycleConfiguration', 'owner', 'GET', '/B?lifecycle'],
  ['GetBucketNotificationConfiguration', 'owner', 'GET', '/B?notification'],
  ['GetBucketOwnershipControls', 'owner', 'GET', '/B?ownershipControls'],
  ['GetBucketPolicy', 'owner', 'GET', '/B?policy'],
  ['GetBucketPolicyStatus', 'owner', 'GET', '/B?policyStatus'],
  ['GetBucketRequestPayment', 'owner', 'GET', '/B?requestPayment'],
  ['GetBucketTagging', 'tags', 'GET', '/B?tagging'],
  ['GetBucketVersioning', 'list', 'GET', '/B?versioning'],
  ['GetObjectAcl', 'read', 'GET', '/B/k?acl'],
  ['GetObjectLegalHold', 'read', 'GET', '/B/k?legal-hold'],
  ['GetObjectLockConfiguration', 'list', 'GET', '/B?object-lock'],
  ['GetObjectRetention', 'read', 'GET', '/B/k?retention'],
  ['GetObjectTagging', 'tags', 'GET', '/B/k?tagging'],
  ['GetPublicAccessBlock', 'owner', 'GET', '/B?publicAccessBlock'],
  ['PostObject', 'write', 'POST', '/B'],
  ['PutBucketAcl', 'owner', 'PUT', '/B?acl'],
  ['PutBucketCors', 'owner', 'PUT', '/B?cors', cors],
  ['PutBucketEncryption', 'owner', 'PUT', '/B?encryption', encryption],
  ['PutBucketNotificationConfiguration', 'owner', 'PUT', '/B?notification', '<NotificationConfiguration/>'],
  ['PutBucketLifecycleConfiguration', 'owner', 'PUT', '/B?lifecycle', lifecycle],
  ['PutBucketOwnershipControls', 'owner', 'PUT', '/B?ownershipControls', ownership],
  ['PutBucketPolicy', 'owner', 'PUT', '/B?policy', policy],
  ['PutBucketTagging', 'tags', 'PUT', '/B?tagging', tagging],
  [
    'PutBucketVersioning',
    'owner',
    'PUT',
    '/B?versioning',
    '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>',
  ],
  ['PutObjectAcl', 'write', 'PUT', '/B/k?acl'],
  ['PutObjectLegalHold', 'write', 'PUT', '/B/k?legal-hold', '<LegalHold><Status>OFF</Status></LegalHold>'],
  ['PutObjectLockConfiguration', 'owner', 'PUT', '/B?object-lock', lock],
  [
    'PutObjectRetention',
    'write',
    'PUT',
    '/B/k?retention',
    '<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>',
  ],
  ['PutObjectTagging', 'tags', 'PUT', '/B/k?tagging', tagging],
  ['PutPublicAccessBlock', 'owner', 'PUT', '/B?publicAccessBlock', block],
];

const form = [
  '--edge\r\nContent-Disposition: form-data; name="key"\r\n\r\nposted\r\n',
  '--edge\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nfile\r\n--edge--\r\n',
].join('');

/** Every operation that the gateway says it has. */
export const operations: readonly Operation[] = rows.map(([name, needs, method, target, body]) => ({
  name,
  needs,
  ask(bucket) {
    const text = name === 'PostObject' ? form : body?.replace('BUCKET', bucket);
    const ask = { method, target: target.replace('B', bucket), headers: headersOf(name, bucket, text) };
    return text === undefined ? ask : { ...ask, body: text };
  },
}));

function headersOf(name: string, bucket: string, body: string | undefined): Record<string, string> {
  switch (name) {
    case 'CopyObject':
    case 'UploadPartCopy':
      return { 'x-amz-copy-source': `/${bucket}/k` };
    case 'GetObjectAttributes':
      return { 'x-amz-object-attributes': 'ETag,ObjectSize' };
    case 'DeleteObjects':
      return { 'content-md5': createHash('md5').update(body!).digest('base64') };
    case 'PostObject':
      return { 'content-type': 'multipart/form-data; boundary=edge' };
    case 'PutBucketAcl':
    case 'PutObjectAcl':
      return { 'x-amz-acl': 'private' };
    default:
      return {};
  }
}
