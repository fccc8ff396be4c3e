import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { parseAuthorization } from './authorization.ts';
import { presign, signRequest } from './sign.ts';
import type { SignatureClaim, SignedRequest } from './signed-request.ts';

const credentials = { accessKey: 'AKID', secret: 'secret', region: 'r' };
const timeMs = Date.UTC(2026, 1, 3, 12);
const minuteMs = 60_000;
const bare: SignedRequest = { method: 'PUT', rawPath: '/b/k', rawQuery: '', rawHeaders: ['Host', 'h'] };

function header(payloadHash = 'UNSIGNED-PAYLOAD', extra: readonly string[] = []): SignedRequest {
  const request = { ...bare, rawHeaders: [...bare.rawHeaders, ...extra] };
  return { ...request, rawHeaders: signRequest(request, credentials, { timeMs, payloadHash }) };
}

function presigned(extra: readonly string[] = [], rawQuery = '', expiresSeconds = 600): SignedRequest {
  const request = { ...bare, rawQuery, rawHeaders: [...bare.rawHeaders, ...extra] };
  return { ...request, rawQuery: presign(request, credentials, { timeMs, expiresSeconds }) };
}

/** The request with one header's value changed, or taken away. */
function withHeader(request: SignedRequest, name: string, change: (value: string) => string | null): SignedRequest {
  const rawHeaders: string[] = [];
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const [found, value] = [request.rawHeaders[index]!, request.rawHeaders[index + 1]!];
    const changed = found === name ? change(value) : value;
    if (changed !== null) rawHeaders.push(found, changed);
  }
  return { ...request, rawHeaders };
}

function fails(request: SignedRequest, code: string, message?: RegExp, nowMs = timeMs): void {
  assert.throws(
    () => parseAuthorization(request, nowMs),
    (error) => {
      assert.ok(error instanceof HoldfastError);
      assert.equal(error.details['s3'], code, error.message);
      if (message !== undefined) assert.match(error.message, message);
      return true;
    },
  );
}

describe('the authorization of a request', () => {
  test('is what its header claims', () => {
    const claim = parseAuthorization(header(), timeMs);
    const { signature, headers, ...rest } = claim as SignatureClaim;
    assert.match(signature, /^[0-9a-f]{64}$/);
    assert.deepEqual([...headers.keys()], ['host', 'x-amz-date', 'x-amz-content-sha256', 'authorization']);
    assert.deepEqual(rest, {
      kind: 'header',
      accessKey: 'AKID',
      scope: { date: '20260203', region: 'r' },
      signedHeaders: ['host', 'x-amz-content-sha256', 'x-amz-date'],
      amzDate: '20260203T120000Z',
      timeMs,
      payloadHash: 'UNSIGNED-PAYLOAD',
      payload: 'unsigned',
    });
  });

  test('is anonymous without any signature', () => {
    assert.deepEqual(parseAuthorization({ ...bare, rawQuery: 'prefix=a' }, timeMs), {
      kind: 'anonymous',
      headers: new Map([['host', 'h']]),
      payloadHash: 'UNSIGNED-PAYLOAD',
      payload: 'unsigned',
    });
    assert.equal(parseAuthorization({ ...bare, rawHeaders: ['Authorization', ''] }, timeMs).kind, 'anonymous');
  });

  test('allows 15 minutes between the clocks, either way', () => {
    for (const skew of [-15, 0, 15]) parseAuthorization(header(), timeMs + skew * minuteMs);
    for (const skew of [-15, 15]) {
      const nowMs = timeMs + skew * minuteMs + Math.sign(skew);
      fails(header(), 'RequestTimeTooSkewed', undefined, nowMs);
    }
  });

  test('of a presigned URL ends when it says', () => {
    parseAuthorization(presigned(), timeMs + 600_000);
    fails(presigned(), 'AccessDenied', /Request has expired/, timeMs + 600_001);
    parseAuthorization(presigned([], '', 604_800), timeMs + 604_800_000);
    parseAuthorization(presigned(), timeMs - 15 * minuteMs);
    fails(presigned(), 'AccessDenied', /not valid yet/, timeMs - 15 * minuteMs - 1);
  });

  test('covers the host and every x-amz header', () => {
    for (const request of [header(), presigned()]) {
      const added = { ...request, rawHeaders: [...request.rawHeaders, 'X-Amz-Acl', 'public-read'] };
      fails(added, 'AccessDenied', /not signed/);
      parseAuthorization({ ...request, rawHeaders: [...request.rawHeaders, 'Content-Type', 'a/b'] }, timeMs);
    }
    const headers = withHeader(header(), 'authorization', (value) => value.replace('host;', ''));
    fails(headers, 'AccessDenied', /not signed/);
    const query = presigned();
    fails({ ...query, rawQuery: query.rawQuery.replace('=host', '=range') }, 'AccessDenied', /not signed/);
  });

  test('need not list the hash of the payload, which is signed anyway, but in a URL it must', () => {
    const hashed = withHeader(header(), 'authorization', (value) => value.replace('x-amz-content-sha256;', ''));
    assert.equal(parseAuthorization(hashed, timeMs).payload, 'unsigned');
    const request = presigned();
    const added = ['x-amz-content-sha256', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'];
    fails({ ...request, rawHeaders: [...request.rawHeaders, ...added] }, 'AccessDenied', /not signed/);
  });

  test('failure 15: says how the body is framed, and refuses a framing that is not known', () => {
    const sha256 = 'a'.repeat(64);
    const forms = [
      [sha256, 'sha256'],
      ['UNSIGNED-PAYLOAD', 'unsigned'],
      ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'signed-chunks'],
      ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', 'signed-chunks-trailer'],
      ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'unsigned-chunks-trailer'],
    ] as const;
    for (const [payloadHash, payload] of forms) {
      assert.equal(parseAuthorization(header(payloadHash), timeMs).payload, payload);
      const inQuery = presigned([], `X-Amz-Content-Sha256=${payloadHash}`);
      assert.equal(parseAuthorization(inQuery, timeMs).payload, payload);
    }
    const unknown = [
      'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
      'STREAMING-',
      '',
      'A'.repeat(64),
      'streaming-unsigned-payload-trailer',
    ];
    for (const payloadHash of unknown) fails(header(payloadHash), 'InvalidArgument');
    const signedTwice = presigned(['x-amz-content-sha256', 'UNSIGNED-PAYLOAD'], `X-Amz-Content-Sha256=${sha256}`);
    fails(signedTwice, 'AuthorizationQueryParametersError');
  });

  test('failure 15: knows the framing of an anonymous body, which cannot be signed', () => {
    const framed = (payloadHash: string) => ({ ...bare, rawHeaders: ['x-amz-content-sha256', payloadHash] });
    const plain = parseAuthorization(framed('STREAMING-UNSIGNED-PAYLOAD-TRAILER'), timeMs);
    assert.deepEqual([plain.kind, plain.payload], ['anonymous', 'unsigned-chunks-trailer']);
    fails(framed('STREAMING-AWS4-HMAC-SHA256-PAYLOAD'), 'AccessDenied');
    fails(framed('STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'), 'AccessDenied');
    fails(framed('STREAMING-ANYTHING'), 'InvalidArgument');
  });

  test('is of one form only', () => {
    const both = { ...header(), rawQuery: presigned().rawQuery };
    fails(both, 'InvalidArgument', /Only one auth mechanism/);
    fails({ ...header(), rawQuery: 'X-Amz-Signature=00' }, 'InvalidArgument', /Only one auth mechanism/);
    fails({ ...header(), rawQuery: 'AWSAccessKeyId=a' }, 'InvalidArgument', /Only one auth mechanism/);
    const scheme = (authorization: string) => ({ ...bare, rawHeaders: ['Host', 'h', 'Authorization', authorization] });
    fails(scheme('AWS AKID:c2lnbmF0dXJl'), 'InvalidRequest', /not supported/);
    fails(scheme('AWS4-ECDSA-P256-SHA256 Credential=a'), 'InvalidRequest', /not supported/);
    fails(scheme('AWS HAHAHA'), 'InvalidArgument');
    fails(scheme('Bearer token'), 'InvalidArgument', /Unsupported/);
  });

  test('is refused where the header is malformed', () => {
    const code = 'AuthorizationHeaderMalformed';
    const changes: readonly [from: RegExp | string, to: string, message: RegExp][] = [
      [/ .*/, ' ', /malformed/],
      [/,SignedHeaders=[^,]*/, '', /three components/],
      [/Signature=.*/, 'Signature=00', /Signature/],
      [/Signature=(.*)/, 'Signature=$1,Signature=$1', /twice/],
      [/$/, ',Other=1', /three components/],
      ['SignedHeaders', 'Signed', /missing SignedHeaders/],
      ['AKID/', '', /mal-formed/],
      ['/r/', '/r', /mal-formed|terminal|service/],
      ['/s3/', '/iam/', /service/],
      ['aws4_request', 'aws5_request', /terminal/],
      ['20260203', '2026020', /date format/],
      ['20260203', '20260204', /not the same/],
      ['host;', 'Host;', /SignedHeaders/],
      ['host;', ';', /SignedHeaders/],
      [/SignedHeaders=[^,]*/, `SignedHeaders=host${';a'.repeat(300)}`, /SignedHeaders/],
    ];
    for (const [from, to, message] of changes) {
      fails(
        withHeader(header(), 'authorization', (value) => value.replace(from, to)),
        code,
        message,
      );
    }
    const doubled = header();
    fails({ ...doubled, rawHeaders: [...doubled.rawHeaders, ...doubled.rawHeaders.slice(-2)] }, code);
  });

  test('needs its time and the hash of its payload', () => {
    fails(
      withHeader(header(), 'x-amz-date', () => null),
      'AccessDenied',
      /valid Date/,
    );
    fails(
      withHeader(header(), 'x-amz-date', () => '20260230T120000Z'),
      'AccessDenied',
      /valid Date/,
    );
    fails(
      withHeader(header(), 'x-amz-date', (value) => `${value}, ${value}`),
      'AccessDenied',
      /valid Date/,
    );
    fails(
      withHeader(header(), 'x-amz-content-sha256', () => null),
      'InvalidRequest',
      /x-amz-content-sha256/,
    );
    for (const date of ['Tue, 03 Feb 2026 12:00:00 GMT', '20260203T120000Z']) {
      const dated = withHeader(header(), 'x-amz-date', () => null);
      const claim = parseAuthorization({ ...dated, rawHeaders: [...dated.rawHeaders, 'Date', date] }, timeMs);
      assert.equal((claim as SignatureClaim).amzDate, '20260203T120000Z');
    }
  });

  test('is refused where the query is malformed', () => {
    const code = 'AuthorizationQueryParametersError';
    const { rawQuery } = presigned();
    const changes: readonly [from: RegExp | string, to: string][] = [
      ['AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'],
      [/&X-Amz-Date=[^&]*/, ''],
      [/&X-Amz-Expires=[^&]*/, ''],
      [/&X-Amz-Expires=[^&]*/, '&X-Amz-Expires='],
      [/&X-Amz-Signature=[^&]*/, ''],
      [/&X-Amz-Credential=[^&]*/, ''],
      [/&X-Amz-SignedHeaders=[^&]*/, ''],
      [/X-Amz-Algorithm=[^&]*&/, ''],
      ['X-Amz-Expires=600', 'X-Amz-Expires=0'],
      ['X-Amz-Expires=600', 'X-Amz-Expires=-1'],
      ['X-Amz-Expires=600', 'X-Amz-Expires=604801'],
      ['X-Amz-Expires=600', 'X-Amz-Expires=6e2'],
      ['X-Amz-Expires=600', `X-Amz-Expires=${'9'.repeat(400)}`],
      ['X-Amz-Expires=600', 'X-Amz-Expires=600&X-Amz-Expires=601'],
      [/X-Amz-Date=[^&]*/, 'X-Amz-Date=2026-02-03'],
      ['%2Fs3%2F', '%2Fsqs%2F'],
      ['AKID%2F20260203', 'AKID%2F20260204'],
      [/X-Amz-Signature=.*/, 'X-Amz-Signature=zz'],
      ['SignedHeaders=host', 'SignedHeaders=HOST'],
    ];
    for (const [from, to] of changes) {
      const changed = rawQuery.replace(from, to);
      assert.notEqual(changed, rawQuery);
      fails({ ...bare, rawQuery: changed }, code);
    }
    fails({ ...bare, rawQuery: `${rawQuery}&a=%zz` }, 'InvalidURI');
  });

  test('takes any region, and slashes in access keys', () => {
    for (const region of ['us-east-1', 'auto', 'moon_base.7', 'x']) {
      for (const accessKey of ['AKID', 'user/with/slashes', 'a=b&c']) {
        const own = { accessKey, secret: 's', region };
        const rawHeaders = signRequest(bare, own, { timeMs, payloadHash: 'UNSIGNED-PAYLOAD' });
        const rawQuery = presign(bare, own, { timeMs, expiresSeconds: 1 });
        for (const request of [
          { ...bare, rawHeaders },
          { ...bare, rawQuery },
        ]) {
          const claim = parseAuthorization(request, timeMs) as SignatureClaim;
          assert.equal(claim.accessKey, accessKey);
          assert.equal(claim.scope.region, region);
        }
      }
    }
  });

  test('of garbage is refused with an error of ours, or anonymous', () => {
    const pieces = [
      'AWS4-HMAC-SHA256 ',
      'Credential=',
      'SignedHeaders=',
      'Signature=',
      'a/20260203/r/s3/aws4_request',
      ',',
      'host',
      '=',
      ' ',
      ';',
      'f'.repeat(64),
    ];
    const garbage = fc
      .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary' })), { maxLength: 12 })
      .map((parts) => parts.join(''));
    const names = [
      'X-Amz-Algorithm',
      'X-Amz-Credential',
      'X-Amz-Date',
      'X-Amz-Expires',
      'X-Amz-SignedHeaders',
      'X-Amz-Signature',
      'AWSAccessKeyId',
      'Expires',
      'Signature',
    ];
    const parameter = fc.tuple(fc.constantFrom(...names), garbage).map(([name, value]) => `${name}=${value}`);
    const query = fc.oneof(
      garbage,
      fc.array(parameter, { maxLength: 7 }).map((parts) => parts.join('&')),
    );
    fc.assert(
      fc.property(garbage, garbage, query, garbage, (authorization, date, rawQuery, payloadHash) => {
        const rawHeaders = [
          'Host',
          'h',
          'Authorization',
          authorization,
          'x-amz-date',
          date,
          'x-amz-content-sha256',
          payloadHash,
        ];
        try {
          parseAuthorization({ ...bare, rawQuery, rawHeaders }, timeMs);
        } catch (error) {
          assert.ok(error instanceof HoldfastError, String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
