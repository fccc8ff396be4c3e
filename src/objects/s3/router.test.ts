import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { s3CodeOf } from '../errors.ts';
import { commands } from './commands/all.ts';
import { createRouter } from './router.ts';
import { parseTarget } from './target.ts';

const route = createRouter(commands);

/** The command's name, or the code of the refusal. */
function routed(method: string, url: string, headers: readonly string[] = []): string {
  try {
    return route(method, parseTarget(url, 'host', []), (name) => headers.includes(name)).command.name;
  } catch (error) {
    return s3CodeOf(error);
  }
}

/** Every sub-resource that the Amazon S3 API reference has, and some that other servers have. */
const subResources = [
  'abac',
  'accelerate',
  'acl',
  'analytics',
  'attributes',
  'annotation',
  'cors',
  'delete',
  'encryption',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'lifecycle',
  'location',
  'logging',
  'metadataAnnotationTable',
  'metadataConfiguration',
  'metadataInventoryTable',
  'metadataJournalTable',
  'metadataTable',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'partNumber',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'renameObject',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'select',
  'select-type',
  'session',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
  'append',
  'position',
  'usage',
  'events',
  'replication-metrics',
];
/** What works on the whole object or bucket: the wrong command for any sub-resource, where it would destroy something. */
const whole = [
  'PutObject',
  'DeleteObject',
  'CopyObject',
  'CreateBucket',
  'DeleteBucket',
  'GetObject',
  'HeadObject',
  'ListObjects',
  'HeadBucket',
  'ListBuckets',
  'PostObject',
];

describe('routing', () => {
  test('failure 17: a sub-resource never falls through to the object or the bucket itself', () => {
    const allowed = new Set(['GET object versionId', 'HEAD object versionId', 'DELETE object versionId']);
    for (const part of ['partNumber']) for (const method of ['GET', 'HEAD']) allowed.add(`${method} object ${part}`);
    let count = 0;
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH']) {
      for (const [resource, path] of [
        ['service', '/'],
        ['bucket', '/b'],
        ['object', '/b/k'],
      ] as const) {
        for (const key of subResources) {
          for (const query of [key, `${key}=`, `${key}=x`, `x-id=PutObject&${key}`]) {
            const name = routed(method, `${path}?${query}`);
            count += 1;
            if (!allowed.has(`${method} ${resource} ${key}`))
              assert.ok(!whole.includes(name), `${method} ${path}?${query}: ${name}`);
          }
        }
      }
    }
    assert.equal(count, 6 * 3 * subResources.length * 4);
  });

  const unknown = [
    'GET /b/k?torrent',
    'PUT /b/k?select',
    'POST /b/k?restore',
    'POST /b/k?select&select-type=2',
    'PUT /b?website',
    'PUT /b?inventory&id=1',
    'DELETE /b?notification',
    'PUT /b?replication',
    'PUT /b?logging',
    'PUT /b/k?append&position=0',
    'PUT /b/k?renameObject',
    'DELETE /b/k?tagging&restore',
    'GET /b?session',
    'PUT /b/k?foo',
    'DELETE /b/k?foo=bar',
    'GET /?foo',
    'PUT /b/k?Tagging',
    'PUT /b/k?versionId=1',
    'PUT /b/k?response-content-type=a',
    'GET /b/k?response-x=a',
    'GET /b?list-type=2&marker=a&foo',
    'PUT /b/k?x-amz-acl=private',
  ];
  for (const line of unknown) {
    test(`answers 501: ${line}`, () => {
      const [method = '', url = ''] = line.split(' ');
      assert.equal(routed(method, url), 'NotImplemented');
    });
  }

  test('finds each command by what selects it', () => {
    const found = [
      ['GET', '/', 'ListBuckets'],
      ['PUT', '/b', 'CreateBucket'],
      ['PUT', '/b/', 'CreateBucket'],
      ['HEAD', '/b', 'HeadBucket'],
      ['DELETE', '/b', 'DeleteBucket'],
      ['GET', '/b', 'ListObjects'],
      ['GET', '/b?prefix=a&marker=b&delimiter=/', 'ListObjects'],
      ['GET', '/b?list-type=2&prefix=a', 'ListObjectsV2'],
      ['GET', '/b?versions', 'ListObjectVersions'],
      ['GET', '/b?uploads&prefix=a', 'ListMultipartUploads'],
      ['GET', '/b?location', 'GetBucketLocation'],
      ['POST', '/b?delete', 'DeleteObjects'],
      ['GET', '/b/k?x-id=GetObject&response-content-type=a', 'GetObject'],
      ['GET', '/b/k?versionId=a&partNumber=2', 'GetObject'],
      ['GET', '/b/k?attributes', 'GetObjectAttributes'],
      ['GET', '/b/k?uploadId=u', 'ListParts'],
      ['PUT', '/b/k?partNumber=1&uploadId=u', 'UploadPart'],
      ['POST', '/b/k?uploads', 'CreateMultipartUpload'],
      ['POST', '/b/k?uploadId=u', 'CompleteMultipartUpload'],
      ['DELETE', '/b/k?uploadId=u', 'AbortMultipartUpload'],
      ['DELETE', '/b/k?tagging', 'DeleteObjectTagging'],
    ] as const;
    for (const [method, url, name] of found) assert.equal(routed(method, url), name, `${method} ${url}`);
    assert.equal(routed('PUT', '/b/k', ['x-amz-copy-source']), 'CopyObject');
    assert.equal(routed('PUT', '/b/k?partNumber=1&uploadId=u', ['x-amz-copy-source']), 'UploadPartCopy');
  });

  test('knows the methods of each resource', () => {
    for (const line of ['PUT /', 'DELETE /', 'PATCH /b', 'POST /b/k', 'TRACE /b/k', 'HEAD /']) {
      const [method = '', url = ''] = line.split(' ');
      assert.equal(routed(method, url), 'MethodNotAllowed', line);
    }
  });

  test('reads headers that a presigned URL carries as parameters, and only there', () => {
    const sign =
      'X-Amz-Signature=a&X-Amz-Algorithm=b&X-Amz-Credential=c&X-Amz-Date=d&X-Amz-Expires=1&X-Amz-SignedHeaders=host';
    const { command, hoisted, query } = route(
      'PUT',
      parseTarget(`/b/k?${sign}&x-amz-meta-a=1&X-Amz-Storage-Class=STANDARD`, 'host', []),
      () => false,
    );
    assert.equal(command.name, 'PutObject');
    assert.deepEqual(
      [...hoisted],
      [
        ['x-amz-meta-a', '1'],
        ['x-amz-storage-class', 'STANDARD'],
      ],
    );
    assert.ok(!query.has('x-amz-meta-a'));
    assert.equal(routed('PUT', `/b/k?${sign}&x-amz-copy-source=/a/b`), 'CopyObject');
    assert.equal(routed('PUT', '/b/k?x-amz-meta-a=1'), 'NotImplemented');
  });

  test('reads what a presigned URL of version 2 carries besides', () => {
    const sign = 'AWSAccessKeyId=a&Signature=b&Expires=1';
    const url = parseTarget(`/b/k?${sign}&content-type=a/b&Content-MD5=c&x-amz-meta-a=1`, 'host', []);
    const { hoisted } = route('PUT', url, () => false);
    assert.deepEqual(Object.fromEntries(hoisted), { 'content-type': 'a/b', 'content-md5': 'c', 'x-amz-meta-a': '1' });
    assert.equal(routed('PUT', '/b/k?content-type=a/b'), 'NotImplemented');
    assert.equal(routed('PUT', `/b/k?${sign}&content-encoding=a`), 'NotImplemented');
    assert.equal(routed('PUT', `/b/k?${sign}&x-amz-meta-%0A=a`), 'NotImplemented');
  });

  test('refuses null characters, which not every store can compare with', () => {
    for (const url of ['/b?prefix=%00', '/b/k?versionId=a%00', '/b/k?uploadId=%00', '/?prefix=a%00b']) {
      assert.equal(routed('GET', url), 'InvalidArgument', url);
    }
    assert.equal(routed('PUT', '/b/k?X-Amz-Signature=a&x-amz-copy-source=b/%00'), 'InvalidArgument');
  });

  test('takes the first of several values', () => {
    assert.equal(route('GET', parseTarget('/b?prefix=a&prefix=b', 'host', []), () => false).query.get('prefix'), 'a');
  });
});
