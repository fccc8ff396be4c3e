import assert from 'node:assert/strict';
import { signPolicy } from '../../../../src/objects/s3/signature/post-form.ts';
import { formatAmzDate } from '../../../../src/objects/s3/signature/amz-date.ts';
import { signingKey } from '../../../../src/objects/s3/signature/signing-key.ts';
import { type Case, acceptanceCase } from '../case.ts';
import { browse } from '../wire.ts';
import type { World } from '../world.ts';

type Fields = Readonly<Record<string, string>>;

const minuteMs = 60_000;

/** Sends a form as a browser does; the file comes last. */
async function post(world: World, bucket: string, fields: Fields, file = 'the file', name = 'my file.txt') {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) form.append(key, value);
  form.append('file', new Blob([file], { type: 'text/plain' }), name);
  const answer = await browse(`${world.gateway.s3Url}/${bucket}`, { method: 'POST', body: form, redirect: 'manual' });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, code: /<Code>(\w+)/.exec(text)?.[1] ?? '' };
}

/** Fields with a policy that allows them, signed by the owner. */
function signed(
  { owner }: World,
  bucket: string,
  fields: Fields,
  wish: { ms?: number; conditions?: unknown[] } = {},
): Fields {
  const amzDate = formatAmzDate(Date.now());
  const scope = { date: amzDate.slice(0, 8), region: owner.region };
  const own = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${owner.accessKey}/${scope.date}/${owner.region}/s3/aws4_request`,
    'x-amz-date': amzDate,
  };
  const conditions = [{ bucket }, ...Object.entries({ ...fields, ...own }).map(([key, value]) => ({ [key]: value }))];
  const expiration = new Date(Date.now() + (wish.ms ?? minuteMs)).toISOString();
  const document = { expiration, conditions: [...(wish.conditions ?? []), ...conditions] };
  const policy = Buffer.from(JSON.stringify(document)).toString('base64');
  const signature = signPolicy(policy, signingKey(owner.secret, scope));
  return { ...fields, ...own, policy, 'x-amz-signature': signature };
}

export const formCases: readonly Case[] = [
  acceptanceCase('a signed form uploads a file, with what its fields say of it', async (world) => {
    const bucket = await world.bucket();
    const fields = { key: 'up/k', 'content-type': 'text/css', 'x-amz-meta-a': '1', success_action_status: '201' };
    const answer = await post(world, bucket, signed(world, bucket, fields));
    assert.equal(answer.status, 201, answer.text);
    assert.match(answer.text, /<PostResponse.*<Key>up\/k<\/Key>.*<ETag>/s);
    const read = await world.send({ method: 'GET', target: `/${bucket}/up/k` });
    assert.deepEqual(
      [read.text, read.headers['content-type'], read.headers['x-amz-meta-a']],
      ['the file', 'text/css', '1'],
    );
    assert.equal(answer.headers.get('etag'), read.headers.etag);
  }),
  acceptanceCase('a form’s file gives its name, and the browser is sent on', async (world) => {
    const bucket = await world.bucket();
    const success = 'https://page.example/done?x=1';
    const wish = { conditions: [['starts-with', '$key', 'in/']] };
    const { key: _key, ...rest } = signed(world, bucket, { success_action_redirect: success }, wish);
    const answer = await post(world, bucket, { key: 'in/${filename}', ...rest });
    assert.equal(answer.status, 303, answer.text);
    const location = new URL(answer.headers.get('location')!);
    assert.deepEqual(
      [location.searchParams.get('bucket'), location.searchParams.get('key')],
      [bucket, 'in/my file.txt'],
    );
    assert.equal((await world.send({ method: 'GET', target: `/${bucket}/in/my%20file.txt` })).text, 'the file');
  }),
  acceptanceCase('a form that its policy does not allow is refused and writes nothing', async (world) => {
    const bucket = await world.bucket();
    const fields = { key: 'k' };
    const good = signed(world, bucket, fields);
    const size = { conditions: [['content-length-range', 1, 3]] };
    const least = { conditions: [['content-length-range', 100, 300]] };
    const outcomes: Record<string, unknown> = {};
    for (const [what, form] of Object.entries({
      'another key': { ...good, key: 'other' },
      'a field more': { ...good, 'x-amz-meta-more': '1' },
      'too late': signed(world, bucket, fields, { ms: -minuteMs }),
      'too large': signed(world, bucket, fields, size),
      'too small': signed(world, bucket, fields, least),
      'another bucket': signed(world, 'another', fields),
      'a changed policy': {
        ...good,
        policy: Buffer.from('{"expiration":"2099-01-01T00:00:00Z","conditions":[]}').toString('base64'),
      },
      'no signature': { key: 'k' },
      'no key': signed(world, bucket, {}),
    })) {
      const { status, code } = await post(world, bucket, form as Fields);
      outcomes[what] = `${status} ${code}`;
    }
    assert.deepEqual(outcomes, {
      'another key': '403 AccessDenied',
      'a field more': '403 AccessDenied',
      'too late': '403 AccessDenied',
      'too large': '400 EntityTooLarge',
      'too small': '400 EntityTooSmall',
      'another bucket': '403 AccessDenied',
      'a changed policy': '403 SignatureDoesNotMatch',
      'no signature': '403 AccessDenied',
      'no key': '400 InvalidArgument',
    });
    const { text } = await world.send({ method: 'GET', target: `/${bucket}` });
    assert.doesNotMatch(text, /<Key>/);
  }),
];
