import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { parseAuthorization } from './authorization.ts';
import { canonicalRequest, sign, stringToSign } from './canonical-request.ts';
import { foldHeaders } from './headers.ts';
import { canonicalQuery } from './query.ts';
import { presign, signRequest } from './sign.ts';
import type { SignatureClaim, SignedRequest } from './signed-request.ts';
import { signingKey } from './signing-key.ts';
import { canonicalPath, decodePath, encodePath, encodeQueryPart } from './uri.ts';
import { verifySignature } from './verify.ts';

const credentials = { accessKey: 'AKIDEXAMPLE', secret: 'a secret / with + signs', region: 'eu-central-1' };
const timeMs = Date.UTC(2026, 1, 3, 4, 5, 6);

function verify(request: SignedRequest, secret = credentials.secret): void {
  const claim = parseAuthorization(request, timeMs + 60_000);
  if (!('scope' in claim)) throw new HoldfastError('forbidden', 'The request is not signed.');
  // Which secret is asked for is the access key's doing, so another key is another secret.
  if (claim.accessKey !== credentials.accessKey) throw new HoldfastError('forbidden', 'The access key is not known.');
  verifySignature(claim, request, signingKey(secret, claim.scope));
}

const text = fc.string({ unit: 'binary', maxLength: 20 }).map((value) => value.toWellFormed());
const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/);
const headerValue = fc.stringMatching(/^[\t -~\u0080-\u00ff]{0,40}$/);

/** Requests with any path, query and headers, bare of a signature. */
const bareRequest: fc.Arbitrary<SignedRequest> = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD'),
  rawPath: text.map((key) => `/${encodePath(key)}`),
  rawQuery: fc
    .array(fc.tuple(text, text), { maxLength: 4 })
    .map((pairs) => pairs.map(([name, value]) => `${encodeQueryPart(name)}=${encodeQueryPart(value)}`).join('&')),
  rawHeaders: fc
    .array(fc.tuple(token, headerValue), { maxLength: 5 })
    .map((headers) => [
      'Host',
      'gateway.example:9000',
      ...headers.flatMap(([name, value]) => [`x-amz-meta-${name}`, value]),
    ]),
});

const form = fc.constantFrom('header', 'presigned');

function signed(request: SignedRequest, kind: string): SignedRequest {
  if (kind === 'presigned')
    return { ...request, rawQuery: presign(request, credentials, { timeMs, expiresSeconds: 600 }) };
  return { ...request, rawHeaders: signRequest(request, credentials, { timeMs, payloadHash: 'UNSIGNED-PAYLOAD' }) };
}

/** What a request means: whatever is encoded otherwise but means the same is the same request. */
function meaning(request: SignedRequest): unknown {
  try {
    const headers = [...foldHeaders(request.rawHeaders)].sort();
    const signature = /X-Amz-Signature=[^&]*/.exec(request.rawQuery)?.[0];
    return [request.method, canonicalPath(request.rawPath), canonicalQuery(request.rawQuery), signature, headers];
  } catch {
    return null;
  }
}

function flipBit(value: string, bit: number): string {
  const bytes = Buffer.from(value, 'latin1');
  const index = (bit >>> 3) % bytes.length;
  bytes[index] = bytes[index]! ^ (1 << (bit & 7));
  return bytes.toString('latin1');
}

/** The request with one bit of one of its strings flipped. */
function flipped(request: SignedRequest, place: number, bit: number): SignedRequest {
  const strings = [request.method, request.rawPath, request.rawQuery, ...request.rawHeaders];
  const filled = strings.map((value, index) => ({ value, index })).filter(({ value }) => value !== '');
  const { value, index } = filled[place % filled.length]!;
  strings[index] = flipBit(value, bit);
  const [method, rawPath, rawQuery, ...rawHeaders] = strings;
  return { method: method!, rawPath: rawPath!, rawQuery: rawQuery!, rawHeaders };
}

describe('a signature', () => {
  test('failure 16: of any path, query and headers is verified over the bytes of the wire', () => {
    fc.assert(
      fc.property(bareRequest, form, (request, kind) => verify(signed(request, kind))),
      { numRuns: 300 },
    );
  });

  test('failure 16: does not stand for a request that differs in one bit', () => {
    fc.assert(
      fc.property(bareRequest, form, fc.nat(), fc.nat(), (bare, kind, place, bit) => {
        const request = signed(bare, kind);
        const other = flipped(request, place, bit);
        fc.pre(JSON.stringify(meaning(request)) !== JSON.stringify(meaning(other)));
        assert.throws(() => verify(other), HoldfastError);
      }),
      { numRuns: 2000 },
    );
  });

  test('is made with the secret', () => {
    const bare = { method: 'GET', rawPath: '/b/k', rawQuery: '', rawHeaders: ['Host', 'h'] };
    for (const kind of ['header', 'presigned']) {
      const request = signed(bare, kind);
      verify(request);
      assert.throws(() => verify(request, 'another'), isMismatch);
      assert.throws(() => verify(request, ''), isMismatch);
    }
  });

  test('covers double headers in their order, and not their white space', () => {
    const rawHeaders = ['Host', 'h', 'x-amz-meta-a', '  1   2 ', 'X-Amz-Meta-A', '3'];
    const request = signed({ method: 'PUT', rawPath: '/b/k', rawQuery: '', rawHeaders }, 'header');
    const changed = (from: string, to: string) => ({
      ...request,
      rawHeaders: request.rawHeaders.map((value) => (value === from ? to : value)),
    });
    verify(request);
    verify(changed('  1   2 ', '1 2'));
    assert.throws(() => verify(changed('3', '4')), isMismatch);
    const [first, second, third, fourth] = request.rawHeaders.slice(2);
    const swapped = [
      ...request.rawHeaders.slice(0, 2),
      third!,
      fourth!,
      first!,
      second!,
      ...request.rawHeaders.slice(6),
    ];
    assert.throws(() => verify({ ...request, rawHeaders: swapped }), isMismatch);
  });

  test('does not stand for a request that lost a header, even an empty one', () => {
    const rawHeaders = ['Host', 'h', 'x-amz-acl', ''];
    const request = signed({ method: 'PUT', rawPath: '/b/k', rawQuery: '', rawHeaders }, 'header');
    verify(request);
    const without = request.rawHeaders.filter((_, index) => index !== 2 && index !== 3);
    assert.throws(() => verify({ ...request, rawHeaders: without }), isMismatch);
  });

  test('may be of the path as it was sent, where its encoding is odd', () => {
    const rawPath = "/b/it's(1)+@%2f";
    const request = signed({ method: 'GET', rawPath, rawQuery: '', rawHeaders: ['Host', 'h'] }, 'header');
    verify(request);
    const claim = parseAuthorization(request, timeMs) as SignatureClaim;
    const key = signingKey(credentials.secret, claim.scope);
    const signedAsSent = (path: string): SignatureClaim => {
      const { payloadHash, signedHeaders, amzDate, scope } = claim;
      const headers = foldHeaders(request.rawHeaders);
      const canonical = canonicalRequest({ method: 'GET', path, query: '', headers, signedHeaders, payloadHash });
      return { ...claim, signature: sign(key, stringToSign(amzDate, scope, canonical)).toString('hex') };
    };
    verifySignature(signedAsSent(rawPath), request, key);
    verifySignature(signedAsSent('/b/it%27s%281%29%2B%40/'), request, key);
    for (const path of ["/b/it's(1) @%2f", "/b/it's(1)+@%2F", '/b/it%27s%281%29%2B%40%2F', decodePath(rawPath)]) {
      assert.throws(() => verifySignature(signedAsSent(path), request, key), isMismatch, path);
    }
  });

  test('that does not match tells what was calculated, and no secret', () => {
    const bare = { method: 'GET', rawPath: '/b/k', rawQuery: 'uploads', rawHeaders: ['Host', 'h'] };
    const request = { ...signed(bare, 'header'), method: 'PUT' };
    assert.throws(
      () => verify(request),
      (error: HoldfastError) => {
        assert.equal(error.kind, 'forbidden');
        assert.match(String(error.details['canonical_request']), /^PUT\n\/b\/k\nuploads=\nhost:h\n/);
        assert.match(String(error.details['string_to_sign']), /^AWS4-HMAC-SHA256\n20260203T040506Z\n/);
        assert.ok(!JSON.stringify(error.details).includes(credentials.secret));
        return true;
      },
    );
  });
});

function isMismatch(error: unknown): boolean {
  return error instanceof HoldfastError && error.details['s3'] === 'SignatureDoesNotMatch';
}
