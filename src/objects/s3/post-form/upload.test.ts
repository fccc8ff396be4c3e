import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { formatAmzDate } from '../signature/amz-date.ts';
import { signPolicy } from '../signature/post-form.ts';
import { signingKey } from '../signature/signing-key.ts';
import { type Answer, type S3Stage, openStage } from '../test-stage.ts';

const boundary = 'b0undary';
const code = ({ status, text }: Answer) => `${status} ${/<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? ''}`.trim();

interface Upload {
  readonly fields?: Readonly<Record<string, string>>;
  readonly file?: Buffer | string;
  readonly conditions?: readonly unknown[];
  readonly expiresInMs?: number;
  /** Changes the signed fields before they are sent. */
  readonly change?: (fields: Record<string, string>) => Record<string, string>;
  readonly secret?: string;
  readonly bucket?: string;
}

function bodyOf(fields: Readonly<Record<string, string>>, file: Buffer | string): Buffer {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="C:\\photos\\bird.jpg"\r\nContent-Type: image/jpeg\r\n\r\n`;
  const end = `\r\n--${boundary}--\r\n`;
  return Buffer.concat([Buffer.from(parts.join('') + head), Buffer.from(file), Buffer.from(end)]);
}

function post(at: S3Stage, fields: Readonly<Record<string, string>>, file: Buffer | string, bucket = 'photos') {
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  return at.ask('POST', `/${bucket}`, { as: null, headers, body: bodyOf(fields, file) });
}

/** Signs a policy for exactly these fields and sends the form. */
function upload(at: S3Stage, given: Upload = {}): Promise<Answer> {
  const { fields = { key: 'a/${filename}' }, file = 'hello', expiresInMs = 60_000, secret = at.owner.secret } = given;
  const date = formatAmzDate(Date.now());
  const scope = { date: date.slice(0, 8), region: at.owner.region };
  const signed = {
    ...fields,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${at.owner.accessKey}/${scope.date}/${scope.region}/s3/aws4_request`,
    'x-amz-date': date,
  };
  const equal = Object.entries(signed).filter(([name]) => name !== 'key');
  const conditions = given.conditions ?? [
    { bucket: 'photos' },
    ['starts-with', '$key', ''],
    ...equal.map(([name, value]) => ({ [name]: value })),
  ];
  const expiration = new Date(Date.now() + expiresInMs).toISOString();
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64');
  const whole = { ...signed, policy, 'x-amz-signature': signPolicy(policy, signingKey(secret, scope)) };
  return post(at, given.change?.(whole) ?? whole, file, given.bucket);
}

async function openPhotos(): Promise<S3Stage> {
  const at = await openStage();
  assert.equal((await at.ask('PUT', '/photos')).status, 200);
  return at;
}

/** What is on the backend after a refusal: nothing at all. */
async function requireNothing(at: S3Stage): Promise<void> {
  assert.match((await at.ask('GET', '/photos?list-type=2')).text, /<KeyCount>0</);
  assert.equal(at.backend.blobs.size, 0);
}

describe('an upload by form', () => {
  test('makes an object of its file and its fields', async () => {
    await using at = await openPhotos();
    const fields = {
      key: 'user/${filename}',
      'Content-Type': 'image/png',
      'Cache-Control': 'no-store',
      'x-amz-meta-note': 'größer',
      acl: 'private',
      tagging: '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>',
    };
    const answer = await upload(at, { fields });
    assert.equal(code(answer), '204', answer.text);
    assert.equal(answer.headers.location, `${at.url.origin}/photos/user/bird.jpg`);
    assert.equal(answer.headers.etag, '"5d41402abc4b2a76b9719d911017c592"');
    const got = await at.ask('GET', '/photos/user/bird.jpg');
    assert.equal(got.text, 'hello');
    assert.equal(got.headers['content-type'], 'image/png');
    assert.equal(got.headers['cache-control'], 'no-store');
    assert.equal(got.headers['x-amz-meta-note'], '=?UTF-8?B?Z3LDtsOfZXI=?=');
    assert.match((await at.ask('GET', '/photos/user/bird.jpg?tagging')).text, /<Key>a<\/Key><Value>b</);
  });

  test('keeps any bytes, also of a file that comes as a stream', async () => {
    await using at = await openPhotos();
    for (const size of [0, 1, 262_144, 262_145, 3_000_000]) {
      const file = randomBytes(size);
      assert.equal(code(await upload(at, { fields: { key: `n${size}` }, file })), '204');
      assert.ok((await at.ask('GET', `/photos/n${size}`)).body.equals(file), String(size));
    }
  });

  test('is answered as it asks', async () => {
    await using at = await openPhotos();
    const ask = (more: Record<string, string>) => upload(at, { fields: { key: 'ä b/c', ...more } });
    assert.equal((await ask({ success_action_status: '200' })).status, 200);
    assert.equal((await ask({ success_action_status: '404' })).status, 204);
    const created = await ask({ success_action_status: '201' });
    assert.equal(created.status, 201);
    const location = `${at.url.origin}/photos/%C3%A4%20b/c`;
    assert.ok(created.text.includes(`<Location>${location}</Location><Bucket>photos</Bucket><Key>ä b/c</Key>`));
    const next = await ask({ success_action_redirect: 'https://a.example/done?x=1' });
    assert.equal(next.status, 303);
    const url = new URL(next.headers.location ?? '');
    assert.equal(url.origin + url.pathname, 'https://a.example/done');
    assert.deepEqual(
      [...url.searchParams],
      [
        ['x', '1'],
        ['bucket', 'photos'],
        ['key', 'ä b/c'],
        ['etag', created.headers.etag],
      ],
    );
    for (const none of ['javascript:alert(1)', 'nowhere']) {
      assert.equal((await ask({ success_action_redirect: none })).status, 204);
    }
  });

  test('checks what the form says of its file', async () => {
    await using at = await openPhotos();
    const sum = (value: string) => upload(at, { fields: { key: 'a', 'x-amz-checksum-sha256': value } });
    assert.equal(code(await sum('LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=')), '204');
    const before = (await at.ask('GET', '/photos/a')).headers['last-modified'];
    const wrong = code(await sum('47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='));
    assert.match(wrong, /^400 (BadDigest|XAmzContentChecksumMismatch)$/);
    assert.match(code(await sum('x')), /^400 InvalidRequest$/);
    assert.equal((await at.ask('GET', '/photos/a')).headers['last-modified'], before);
  });

  test('without a signature is for buckets whose policy lets everyone write', async () => {
    await using at = await openPhotos();
    assert.equal(code(await post(at, { key: 'a' }, 'x')), '403 AccessDenied');
    await requireNothing(at);
    const statement = { Effect: 'Allow', Principal: '*', Action: 's3:PutObject', Resource: 'arn:aws:s3:::photos/in/*' };
    const body = JSON.stringify({ Version: '2012-10-17', Statement: statement });
    assert.equal((await at.ask('PUT', '/photos?policy', { body })).status, 204);
    assert.equal(code(await post(at, { key: 'in/a' }, 'x')), '204');
    assert.equal(code(await post(at, { key: 'a' }, 'x')), '403 AccessDenied');
  });

  test('is refused, and leaves nothing, when its signature or its policy does not hold', async () => {
    await using at = await openPhotos();
    await at.ask('PUT', '/other');
    const over = (more: Record<string, string>) => (fields: Record<string, string>) => ({ ...fields, ...more });
    const without = (name: string) => (fields: Record<string, string>) => {
      const { [name]: _gone, ...rest } = fields;
      return rest;
    };
    const none = Buffer.from(JSON.stringify({ expiration: '2999-01-01', conditions: [] })).toString('base64');
    const cases: [Upload, string][] = [
      [{ secret: 'wrong' }, '403 SignatureDoesNotMatch'],
      [{ change: over({ policy: none }) }, '403 SignatureDoesNotMatch'],
      [{ change: over({ 'x-amz-signature': '0'.repeat(64) }) }, '403 SignatureDoesNotMatch'],
      [{ change: over({ 'x-amz-credential': 'nobody/20300101/us-east-1/s3/aws4_request' }) }, '400 InvalidArgument'],
      [{ change: without('x-amz-signature') }, '400 InvalidArgument'],
      [{ change: without('policy') }, '400 InvalidArgument'],
      [{ change: without('key') }, '400 InvalidArgument'],
      [{ expiresInMs: -1 }, '403 AccessDenied'],
      [{ change: over({ 'x-amz-meta-more': '1' }) }, '403 AccessDenied'],
      [{ change: over({ acl: 'private' }) }, '403 AccessDenied'],
      [{ bucket: 'other' }, '403 AccessDenied'],
      [{ conditions: [{ bucket: 'photos' }] }, '403 AccessDenied'],
      [{ conditions: [{}] }, '400 InvalidPolicyDocument'],
      [{ fields: { key: 'a', acl: 'public-read' } }, '400 AccessControlListNotSupported'],
      [{ fields: { key: 'a', 'x-amz-server-side-encryption': 'AES256' } }, '501 NotImplemented'],
      [{ fields: { key: 'a', 'x-amz-object-lock-legal-hold': 'ON' } }, '400 InvalidRequest'],
      [{ fields: { key: 'a', tagging: '<Tagging>' } }, '400 MalformedXML'],
      [{ fields: { key: 'a', 'x-amz-meta-a b': '1' } }, '400 MalformedPOSTRequest'],
      [{ fields: { key: 'k'.repeat(1_025) } }, '400 KeyTooLongError'],
    ];
    for (const [given, expected] of cases) assert.equal(code(await upload(at, given)), expected, JSON.stringify(given));
    await requireNothing(at);
  });

  test('may be signed with version 2, as boto3 does by default', async () => {
    await using at = await openPhotos();
    const conditions = [{ bucket: 'photos' }, { key: 'a' }, { 'Content-Type': 'image/png' }];
    const expiration = new Date(Date.now() + 60_000).toISOString();
    const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64');
    const { accessKey, secret } = at.owner;
    const signature = createHmac('sha1', secret).update(policy).digest('base64');
    const fields = { key: 'a', 'Content-Type': 'image/png', AWSAccessKeyId: accessKey, policy, signature };
    const none = Buffer.from(JSON.stringify({ expiration, conditions: [] })).toString('base64');
    for (const [more, expected] of [
      [{ signature: signature.toLowerCase() }, '403 SignatureDoesNotMatch'],
      [{ signature: '' }, '400 InvalidArgument'],
      [{ policy: none }, '403 SignatureDoesNotMatch'],
      [{ AWSAccessKeyId: 'NOBODY' }, '403 InvalidAccessKeyId'],
      [{ key: 'b' }, '403 AccessDenied'],
      [{ 'Cache-Control': 'no-store' }, '403 AccessDenied'],
      [{ 'x-amz-algorithm': 'AWS4-HMAC-SHA256' }, '400 InvalidArgument'],
    ] as const) {
      assert.equal(code(await post(at, { ...fields, ...more }, 'x')), expected, JSON.stringify(more));
    }
    await requireNothing(at);
    const statement = {
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: 'arn:aws:s3:::photos/*',
      Condition: { StringEquals: { 's3:signatureversion': 'AWS', 's3:authType': 'POST' } },
    };
    const deny = JSON.stringify({ Version: '2012-10-17', Statement: statement });
    assert.equal((await at.ask('PUT', '/photos?policy', { body: deny })).status, 204);
    assert.equal(code(await post(at, fields, 'x')), '403 AccessDenied');
    assert.equal((await at.ask('DELETE', '/photos?policy')).status, 204);
    assert.equal(code(await post(at, fields, 'x')), '204');
    assert.equal((await at.ask('GET', '/photos/a')).headers['content-type'], 'image/png');
  });

  test('is refused outside the sizes of its policy, before anything is written', async () => {
    await using at = await openPhotos();
    const conditions = [
      { bucket: 'photos' },
      ...['key', 'x-amz-algorithm', 'x-amz-credential', 'x-amz-date'].map((name) => ['starts-with', `$${name}`, '']),
      ['content-length-range', 5, 6],
    ];
    const sized = async (file: string) => code(await upload(at, { conditions, file }));
    assert.equal(await sized('1234'), '400 EntityTooSmall');
    assert.equal(await sized('1234567'), '400 EntityTooLarge');
    await requireNothing(at);
    assert.equal(await sized('12345'), '204');
  });

  test('is refused as another kind of body, or signed elsewhere', async () => {
    await using at = await openPhotos();
    const body = bodyOf({ key: 'a' }, 'x');
    assert.equal(code(await at.ask('POST', '/photos', { as: null, body })), '412 PreconditionFailed');
    const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
    assert.equal(code(await at.ask('POST', '/photos', { headers, body })), '400 InvalidRequest');
    assert.equal((await at.ask('POST', '/photos?acl', { as: null, headers, body })).status, 501);
    await requireNothing(at);
  });

  test('that breaks off or goes on behind its file leaves nothing', async () => {
    await using at = await openPhotos();
    const statement = { Effect: 'Allow', Principal: '*', Action: 's3:PutObject', Resource: 'arn:aws:s3:::photos/*' };
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: statement });
    assert.equal((await at.ask('PUT', '/photos?policy', { body: policy })).status, 204);
    const whole = bodyOf({ key: 'a' }, randomBytes(500_000));
    const head = `POST /photos HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=${boundary}\r\n`;
    const broken = whole.subarray(0, 400_000);
    const socket = at.connect();
    await new Promise<void>((resolve) => {
      socket.write(Buffer.concat([Buffer.from(`${head}Content-Length: ${whole.length}\r\n\r\n`), broken]), () =>
        resolve(),
      );
    });
    socket.destroy();
    const more = `--${boundary}\r\nContent-Disposition: form-data; name="submit"\r\n\r\nUpload\r\n--${boundary}--\r\n`;
    const longer = Buffer.concat([whole.subarray(0, -`--${boundary}--\r\n`.length), Buffer.from(more)]);
    const length = `Content-Length: ${longer.length}\r\nConnection: close\r\n\r\n`;
    assert.match(await at.raw(Buffer.concat([Buffer.from(head + length), longer])), /MalformedPOSTRequest/);
    await at.world.gateway.writer.settle();
    await requireNothing(at);
  });
});
