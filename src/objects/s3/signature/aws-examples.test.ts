import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAuthorization } from './authorization.ts';
import { parsePostAuthorization, signPolicy, verifyPostSignature } from './post-form.ts';
import { presign, signRequest } from './sign.ts';
import type { SignatureClaim, SignedRequest } from './signed-request.ts';
import { signingKey } from './signing-key.ts';
import { verifySignature } from './verify.ts';

/** The credentials and the day of the examples in the Amazon S3 API reference. */
const accessKey = 'AKIAIOSFODNN7EXAMPLE';
const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const region = 'us-east-1';
const timeMs = Date.UTC(2013, 4, 24);
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const host = ['Host', 'examplebucket.s3.amazonaws.com'];

interface Example {
  readonly name: string;
  readonly request: SignedRequest;
  readonly payloadHash: string;
  readonly signedHeaders: string;
  readonly signature: string;
}

/** "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk". */
const examples: readonly Example[] = [
  {
    name: 'GET object',
    request: { method: 'GET', rawPath: '/test.txt', rawQuery: '', rawHeaders: [...host, 'Range', 'bytes=0-9'] },
    payloadHash: emptyHash,
    signedHeaders: 'host;range;x-amz-content-sha256;x-amz-date',
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    name: 'PUT object',
    request: {
      method: 'PUT',
      rawPath: '/test$file.text',
      rawQuery: '',
      rawHeaders: [...host, 'Date', 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class', 'REDUCED_REDUNDANCY'],
    },
    payloadHash: '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    signedHeaders: 'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  {
    name: 'GET bucket lifecycle',
    request: { method: 'GET', rawPath: '/', rawQuery: 'lifecycle', rawHeaders: host },
    payloadHash: emptyHash,
    signedHeaders: 'host;x-amz-content-sha256;x-amz-date',
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  {
    name: 'list objects',
    request: { method: 'GET', rawPath: '/', rawQuery: 'max-keys=2&prefix=J', rawHeaders: host },
    payloadHash: emptyHash,
    signedHeaders: 'host;x-amz-content-sha256;x-amz-date',
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
];

describe("AWS's examples of signatures", () => {
  for (const { name, request, payloadHash, signedHeaders, signature } of examples) {
    test(`${name}: verified, and signed the same`, () => {
      const rawHeaders = [
        ...request.rawHeaders,
        'x-amz-date',
        '20130524T000000Z',
        'x-amz-content-sha256',
        payloadHash,
        'Authorization',
        `AWS4-HMAC-SHA256 Credential=${accessKey}/20130524/us-east-1/s3/aws4_request,` +
          `SignedHeaders=${signedHeaders},Signature=${signature}`,
      ];
      const signed = { ...request, rawHeaders };
      const claim = parseAuthorization(signed, timeMs) as SignatureClaim;
      assert.equal(claim.kind, 'header');
      assert.equal(claim.accessKey, accessKey);
      assert.deepEqual(claim.scope, { date: '20130524', region });
      assert.equal(claim.timeMs, timeMs);
      verifySignature(claim, signed, signingKey(secret, claim.scope));
      const ours = signRequest(request, { accessKey, secret, region }, { timeMs, payloadHash });
      assert.equal(ours.at(-1), rawHeaders.at(-1));
    });
  }

  test('presigned GET: verified, and signed the same', () => {
    // "Authenticating Requests: Using Query Parameters".
    const rawQuery =
      'X-Amz-Algorithm=AWS4-HMAC-SHA256' +
      '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
      '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
      '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';
    const request = { method: 'GET', rawPath: '/test.txt', rawQuery, rawHeaders: host };
    const claim = parseAuthorization(request, timeMs + 3_600_000) as SignatureClaim;
    assert.equal(claim.kind, 'presigned');
    assert.equal(claim.payload, 'unsigned');
    verifySignature(claim, request, signingKey(secret, claim.scope));
    const credentials = { accessKey, secret, region };
    assert.equal(presign({ ...request, rawQuery: '' }, credentials, { timeMs, expiresSeconds: 86_400 }), rawQuery);
  });

  test('POST form: verified, and signed the same', () => {
    // "Example: Browser-Based Upload using HTTP POST (Using AWS Signature Version 4)", with CRLF at the line ends.
    const policy = [
      '{ "expiration": "2015-12-30T12:00:00.000Z",',
      '  "conditions": [',
      '    {"bucket": "sigv4examplebucket"},',
      '    ["starts-with", "$key", "user/user1/"],',
      '    {"acl": "public-read"},',
      '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},',
      '    ["starts-with", "$Content-Type", "image/"],',
      '    {"x-amz-meta-uuid": "14365123651274"},',
      '    {"x-amz-server-side-encryption": "AES256"},',
      '    ["starts-with", "$x-amz-meta-tag", ""],',
      '',
      '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},',
      '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},',
      '    {"x-amz-date": "20151229T000000Z" }',
      '  ]',
      '}',
    ].join('\r\n');
    const fields = new Map([
      ['policy', Buffer.from(policy).toString('base64')],
      ['x-amz-algorithm', 'AWS4-HMAC-SHA256'],
      ['x-amz-credential', 'AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request'],
      ['x-amz-date', '20151229T000000Z'],
      ['x-amz-signature', '8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e'],
    ]);
    const claim = parsePostAuthorization(fields);
    assert.ok(claim.kind === 'post');
    assert.equal(claim.accessKey, accessKey);
    verifyPostSignature(claim, secret);
    assert.equal(signPolicy(claim.policy, signingKey(secret, claim.scope!)), claim.signature);
  });

  test('POST form of version 2: verified', () => {
    // "Browser-based uploads using POST (AWS signature version 2)", with a line feed at each line's end. Its signature is
    // still that of the example credentials of the first editions.
    const firstSecret = 'uV3F3YluFJax1cknvbcGwgjvx4QpvB+leU8dUj2o';
    const policy = [
      '{ "expiration": "2007-12-01T12:00:00.000Z",',
      '  "conditions": [',
      '    {"bucket": "johnsmith"},',
      '    ["starts-with", "$key", "user/eric/"],',
      '    {"acl": "public-read"},',
      '    {"success_action_redirect": "http://johnsmith.s3.amazonaws.com/successful_upload.html"},',
      '    ["starts-with", "$Content-Type", "image/"],',
      '    {"x-amz-meta-uuid": "14365123651274"},',
      '    ["starts-with", "$x-amz-meta-tag", ""]',
      '  ]',
      '}',
      '',
    ].join('\n');
    const fields = new Map([
      ['awsaccesskeyid', accessKey],
      ['policy', Buffer.from(policy).toString('base64')],
      ['signature', '0RavWzkygo6QX9caELEqKi9kDbU='],
    ]);
    const claim = parsePostAuthorization(fields);
    assert.ok(claim.kind === 'post');
    assert.deepEqual([claim.accessKey, claim.scope], [accessKey, null]);
    verifyPostSignature(claim, firstSecret);
    assert.throws(() => verifyPostSignature(claim, secret));
    assert.throws(() => verifyPostSignature({ ...claim, policy: claim.policy.replace('e', 'f') }, firstSecret));
    assert.throws(() => parsePostAuthorization(new Map([...fields].slice(0, 2))));
  });
});
