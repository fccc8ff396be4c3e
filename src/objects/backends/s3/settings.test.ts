import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BucketAddress } from './address.ts';
import { partBytesFor } from './limits.ts';
import { s3Kind } from './s3.ts';
import { readS3 } from './settings.ts';
import { MIB, isError } from './testkit.ts';

const secrets = { access_key_id: 'AKIA1', secret_access_key: 'abc/def+ghi' };
const config = { endpoint: 'https://s3.example', bucket: 'my-bucket' };

describe('settings of an s3 backend', () => {
  test('are filled with defaults', () => {
    const validated = s3Kind.validate({ config, secrets });
    assert.deepEqual(validated, {
      config: {
        ...config,
        region: 'us-east-1',
        prefix: '',
        path_style: 'auto',
        multipart_part_bytes: '67108864',
        connect_timeout_ms: '10000',
        idle_timeout_ms: '30000',
        connections_max: '64',
        ca: '',
      },
      secrets,
    });
    assert.deepEqual(s3Kind.validate(validated), validated, 'what was validated is valid');
  });

  const wrong: readonly (readonly [field: string, config: Record<string, string>])[] = [
    ['endpoint', { endpoint: '' }],
    ['endpoint', { endpoint: 's3.example' }],
    ['endpoint', { endpoint: 'ftp://s3.example' }],
    ['endpoint', { endpoint: 'https://user:kq7-very-secret-secret@s3.example' }],
    ['endpoint', { endpoint: 'https://s3.example/?a=b' }],
    ['bucket', { bucket: '' }],
    ['bucket', { bucket: 'a/b' }],
    ['bucket', { bucket: 'x' }],
    ['region', { region: '' }],
    ['region', { region: 'us east' }],
    ['prefix', { prefix: 'a\nb' }],
    ['prefix', { prefix: 'x'.repeat(513) }],
    ['path_style', { path_style: 'yes' }],
    ['path_style', { endpoint: 'http://127.0.0.1:1', path_style: 'false' }],
    ['path_style', { endpoint: 'http://[::1]:1', path_style: 'false' }],
    ['path_style', { bucket: 'My_Bucket', path_style: 'false' }],
    ['multipart_part_bytes', { multipart_part_bytes: String(5 * MIB - 1) }],
    ['multipart_part_bytes', { multipart_part_bytes: '16MiB' }],
    ['connect_timeout_ms', { connect_timeout_ms: '0' }],
    ['idle_timeout_ms', { idle_timeout_ms: '-1' }],
    ['connections_max', { connections_max: '1.5' }],
    ['ca', { ca: 'not a certificate' }],
    ['bukket', { bukket: 'x' }],
    ['secret_access_key', { secret_access_key: 'kq7-very-secret-secret' }],
  ];
  for (const [field, change] of wrong) {
    test(`that are wrong are refused by the name of ${field}: ${JSON.stringify(change).slice(0, 60)}`, () => {
      const validate = (): unknown => s3Kind.validate({ config: { ...config, ...change }, secrets });
      assert.throws(validate, isError('invalid', { field }, new RegExp(`\\b${field}\\b`)));
    });
  }

  const wrongSecrets: readonly (readonly [field: string, secrets: Record<string, string>])[] = [
    ['access_key_id', { secret_access_key: 'kq7-very-secret-secret' }],
    ['access_key_id', { access_key_id: 'a,b', secret_access_key: 'kq7-very-secret-secret' }],
    ['secret_access_key', { access_key_id: 'AKIA1' }],
    ['secret_access_key', { access_key_id: 'AKIA1', secret_access_key: 'kq7-very-secret-secret\n' }],
    ['session', { ...secrets, session: 'kq7-very-secret-secret' }],
  ];
  for (const [field, given] of wrongSecrets) {
    test(`with secrets that are wrong are refused by the name of ${field}: ${Object.keys(given).join(', ')}`, () => {
      assert.throws(() => s3Kind.validate({ config, secrets: given }), isError('invalid', { field }));
    });
  }
});

describe('the address of a bucket', () => {
  const cases: readonly (readonly [endpoint: string, style: string, bucket: string, host: string, path: string])[] = [
    ['http://127.0.0.1:9000', 'auto', 'bucket', '127.0.0.1:9000', '/bucket/a%20b/%2B//..'],
    ['https://minio.example/', 'auto', 'bucket', 'minio.example', '/bucket/a%20b/%2B//..'],
    ['https://x.example/storage/v1/s3/', 'auto', 'bucket', 'x.example', '/storage/v1/s3/bucket/a%20b/%2B//..'],
    ['https://s3.eu-west-1.amazonaws.com', 'auto', 'bucket', 'bucket.s3.eu-west-1.amazonaws.com', '/a%20b/%2B//..'],
    ['https://s3.amazonaws.com', 'auto', 'a.dot', 's3.amazonaws.com', '/a.dot/a%20b/%2B//..'],
    ['https://s3.amazonaws.com', 'true', 'bucket', 's3.amazonaws.com', '/bucket/a%20b/%2B//..'],
    ['http://s3.example:8080', 'false', 'bucket', 'bucket.s3.example:8080', '/a%20b/%2B//..'],
  ];
  for (const [endpoint, style, bucket, host, path] of cases) {
    test(`${bucket} at ${endpoint} with path style ${style} is ${host}${path}`, () => {
      const settings = readS3({ config: { endpoint, bucket, path_style: style, ...partOf }, secrets });
      const address = new BucketAddress(settings);
      assert.deepEqual([address.host, address.path('a b/+//..')], [host, path]);
      assert.equal(address.path(null), path.slice(0, -'/a%20b/%2B//..'.length) || '/');
    });
  }
  const partOf = { multipart_part_bytes: '67108864' };
});

test('parts grow with a blob, so that 10,000 of them are enough', () => {
  assert.equal(partBytesFor(100 * MIB, 16 * MIB), 16 * MIB);
  for (const gib of [1, 100, 160, 5 * 1024]) {
    const sizeBytes = gib * 1024 * MIB + 1;
    const partBytes = partBytesFor(sizeBytes, 16 * MIB);
    assert.ok(Math.ceil(sizeBytes / partBytes) <= 10_000, `${gib} GiB`);
    assert.equal(partBytes % MIB, 0);
  }
});
