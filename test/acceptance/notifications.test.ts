import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectTaggingCommand,
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { contract } from '../../src/contract.ts';
import { CommandLine } from '../support/command-line.ts';
import { type Mosquitto, mosquittoMissing, startMosquitto } from '../support/mosquitto.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { testFlags } from '../support/server.ts';
import { requireReal } from '../support/stores.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';
import {
  type Answering,
  type Received,
  type ReceivedEvent,
  type WebhookReceiver,
  status,
  webhookReceiver,
} from '../support/webhook-receiver.ts';

const Bucket = 'photos';
const skip = requireReal ? false : (mosquittoMissing() ?? false);
const arnOf = (target: string) => `arn:aws:sns:us-east-1:holdfast:${target}`;

/** A server in a process of its own with a bucket, which can be killed and started again, and who is told by it. */
describe('notifications', { skip }, () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let broker: Mosquitto;
  let hook: WebhookReceiver;
  let server: ServeProcess;
  let cli: CommandLine;
  let credentials: { accessKeyId: string; secretAccessKey: string };
  let secret: string;

  const flags = () => ({
    ...testFlags(join(directory.path, 'data')),
    'notification-retry-wait': '50ms',
    'notification-max-attempts': '5',
  });
  const s3 = () =>
    new S3Client({ endpoint: server.s3Url, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 });
  const send = async <R>(act: (client: S3Client) => Promise<R>): Promise<R> => {
    const client = s3();
    try {
      return await act(client);
    } finally {
      client.destroy();
    }
  };
  const put = (Key: string) => send((client) => client.send(new PutObjectCommand({ Bucket, Key, Body: 'content' })));
  const ofKey = (key: string): Received[] =>
    hook.received.filter(({ event }) => event.subject === key && event.type.startsWith('com.amazonaws.s3.'));
  async function restart(): Promise<void> {
    server = await serveProcess(flags());
  }

  before(async () => {
    directory = await temporaryDirectory();
    [broker, hook] = [await startMosquitto(), await webhookReceiver()];
    server = await serveProcess(flags());
    cli = new CommandLine(directory.path, () => server.url);
    const config = { path: join(directory.path, 'objects') };
    await server.client.call(contract.addObjectBackend, { body: { name: 'disk', kind: 'filesystem', config } });
    const key = await server.client.call(contract.createKey, { body: {} });
    credentials = { accessKeyId: key.access_key, secretAccessKey: key.secret };
    await send((client) => client.send(new CreateBucketCommand({ Bucket })));
  });
  after(async () => {
    await server?.stop();
    await hook?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  it('has targets, which are tried out before they are needed', async () => {
    const added = await cli.ok('notification', 'add', 'hook', 'webhook', hook.url, '--header', 'x-team=storage');
    secret = /whsec_\S+/.exec(added)![0];
    await cli.ok('notification', 'add', 'home', 'mqtt', broker.url, '--topic', 'holdfast/events');
    await cli.ok('notification', 'test', 'hook');
    await cli.ok('notification', 'test', 'home');
    assert.equal(hook.received.at(-1)!.event.type, 'io.holdfast.notification_target.test');
    assert.equal(hook.received.at(-1)!.headers['x-team'], 'storage');
    for (const command of ['list', 'show hook', 'list --json', 'show hook --json']) {
      assert.doesNotMatch(await cli.ok('notification', ...command.split(' ')), /whsec_|storage/);
    }
    await cli.fails(5, /There is a target hook already/, 'notification', 'add', 'hook', 'webhook', hook.url);
    await cli.fails(2, /begins with http:\/\/ or https:/, 'notification', 'add', 'other', 'webhook', 'example.org');
  });

  it('the code in README tells a genuine message from another', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const [, code] = /## Be told[\s\S]*?```js\n([\s\S]*?)```/.exec(readme)!;
    const path = join(directory.path, 'genuine.mjs');
    await writeFile(path, code!);
    const { isGenuine } = (await import(path)) as {
      isGenuine: (secret: string, headers: unknown, body: string) => boolean;
    };
    const { headers, body } = hook.received.at(-1)!;
    assert.equal(isGenuine(secret, headers, body), true);
    assert.equal(isGenuine(secret, headers, `${body} `), false);
    assert.equal(isGenuine(secret, { ...headers, 'webhook-signature': undefined }, body), false);
    const old = { ...headers, 'webhook-timestamp': '1614265330' };
    assert.equal(isGenuine(secret, old, body), false);
  });

  it('a bucket says whom it tells, to the SDK of AWS', async () => {
    const configuration = {
      TopicConfigurations: [
        {
          Id: 'all',
          TopicArn: arnOf('hook'),
          Events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:*', 's3:ObjectTagging:*'] as const,
          Filter: { Key: { FilterRules: [{ Name: 'prefix' as const, Value: 'in/' }] } },
        },
      ],
    };
    const wish = (TopicArn: string) => ({
      Bucket,
      NotificationConfiguration: {
        TopicConfigurations: configuration.TopicConfigurations.map((rule) => ({
          ...rule,
          TopicArn,
          Events: [...rule.Events],
        })),
      },
    });
    await send(async (client) => {
      assert.equal(
        (await client.send(new GetBucketNotificationConfigurationCommand({ Bucket }))).TopicConfigurations,
        undefined,
      );
      await assert.rejects(client.send(new PutBucketNotificationConfigurationCommand(wish(arnOf('nobody')))), {
        name: 'InvalidArgument',
      });
      await client.send(new PutBucketNotificationConfigurationCommand(wish(arnOf('hook'))));
      const { TopicConfigurations } = await client.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
      assert.deepEqual(TopicConfigurations, configuration.TopicConfigurations);
    });
    const { event } = await until('the test event', () =>
      hook.received.find((received) => received.event.type === 'com.amazonaws.s3.TestEvent'),
    );
    assert.deepEqual([event.data['Event'], event.data['Bucket']], ['s3:TestEvent', Bucket]);
  });

  it('tells of objects in the words of S3', async () => {
    const Key = 'in/a b.jpg';
    await send(async (client) => {
      await client.send(new PutObjectCommand({ Bucket, Key: 'elsewhere', Body: 'x' }));
      await client.send(new PutObjectCommand({ Bucket, Key, Body: 'hello' }));
      await client.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } }));
      await client.send(new DeleteObjectTaggingCommand({ Bucket, Key }));
      await client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/elsewhere` }));
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      const part = { Bucket, Key, UploadId, PartNumber: 1 };
      const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: 'part' }));
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
      await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }));
      await client.send(new DeleteObjectCommand({ Bucket, Key }));
      const VersioningConfiguration = { Status: 'Enabled' as const };
      await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
      await client.send(new DeleteObjectCommand({ Bucket, Key }));
    });
    const received = await until('all are told', () => ofKey('in/a+b.jpg').length >= 7 && ofKey('in/a+b.jpg'));
    assert.deepEqual(
      received.map(({ event }) => event.type.replace('com.amazonaws.s3.', '')),
      [
        'ObjectCreated:Put',
        'ObjectTagging:Put',
        'ObjectTagging:Delete',
        'ObjectCreated:Copy',
        'ObjectCreated:CompleteMultipartUpload',
        'ObjectRemoved:Delete',
        'ObjectRemoved:DeleteMarkerCreated',
      ],
    );
    assert.deepEqual(ofKey('elsewhere'), []);
    const [{ event }, second] = received as [Received, Received];
    const record = event.data as {
      readonly [name: string]: unknown;
      readonly s3: { readonly configurationId: string; readonly object: Readonly<Record<string, string>> };
    };
    assert.equal(event.source, `holdfast:s3.us-east-1.${Bucket}`);
    assert.deepEqual([record['eventName'], record.s3.configurationId], ['ObjectCreated:Put', 'all']);
    const { sequencer, ...object } = record.s3.object;
    assert.deepEqual(object, { key: 'in/a+b.jpg', size: 5, eTag: '5d41402abc4b2a76b9719d911017c592' });
    const later = (second.event.data as typeof record).s3.object['sequencer'];
    assert.ok(sequencer! < later!);
  });

  it('tells a broker of what is subscribed to, also after the broker was away', async () => {
    await cli.ok('notification', 'subscribe', 'volumes', 'home', 'volume.*', '--resource', 'volume:');
    const heard = await broker.collect('holdfast/#');
    const types = (all: readonly string[]) => all.map((text) => JSON.parse(text) as ReceivedEvent);
    await cli.ok('volume', 'create', 'db-1', '--size', '1MiB', '--wait');
    await until('it is told', () => types(heard.messages).some(({ type }) => type.startsWith('io.holdfast.volume.')));
    await heard.end();
    await broker.kill();
    await cli.ok('volume', 'create', 'db-2', '--size', '1MiB', '--wait');
    await until('it was tried in vain', async () => {
      const { items } = await server.client.call(contract.listNotificationTargets);
      return items.some(({ name, waiting, dead_letters }) => name === 'home' && waiting + dead_letters > 0);
    });
    await broker.start();
    await until('the broker has taken all', async () => {
      await cli.ok('notification', 'dead-letters', 'home', '--requeue');
      const { items } = await server.client.call(contract.listNotificationTargets);
      return items.every(({ waiting, dead_letters }) => waiting + dead_letters === 0);
    });
    await cli.ok('notification', 'unsubscribe', 'volumes');
  });

  it('tries again, and makes dead letters of what is never taken', async () => {
    let refusals = 2;
    hook.answer = (received, response) => status(refusals-- > 0 ? 500 : 204)(received, response);
    await put('in/twice');
    const received = await until('the third', () => ofKey('in/twice').length === 3 && ofKey('in/twice'));
    assert.equal(new Set(received.map(({ event }) => event.id)).size, 1);
    hook.answer = status(302, { location: 'http://127.0.0.1:9/' });
    await put('in/moved');
    const letters = await until('a dead letter', async () => {
      const found = await cli.ok('notification', 'dead-letters', 'hook');
      return found.includes('in/moved') && found;
    });
    assert.match(letters, /answered 302, and redirects are not followed/);
    assert.equal(ofKey('in/moved').length, 5);
    hook.answer = status(204);
    assert.match(await cli.ok('notification', 'dead-letters', 'hook', '--requeue'), /1 dead letters/);
    await until('it is told', () => ofKey('in/moved').length === 6);
    const health = await server.client.call(contract.health);
    assert.match(health.parts['notifications']!.detail, /2 targets, \d+ waiting, 0 dead letters/);
    assert.match(await server.client.call(contract.metrics), /holdfast_notification_waiting \d/);
  });

  it('a server that is killed before the delivery makes it after its start', async () => {
    hook.answer = () => {};
    await put('in/before');
    await server.kill();
    const tried = ofKey('in/before').length;
    hook.answer = status(204);
    await restart();
    await until('it is told', () => ofKey('in/before').length > tried);
    assert.equal(new Set(ofKey('in/before').map(({ event }) => event.id)).size, 1);
  });

  it('a server that is killed between the delivery and its note delivers twice, with one id', async () => {
    const killing: Answering = (received, response) => {
      if (received.event.subject === 'in/between') void server.kill();
      else response.writeHead(204).end();
    };
    hook.answer = killing;
    await put('in/between');
    await until('it came', () => ofKey('in/between').length === 1);
    hook.answer = status(204);
    await restart();
    await until('it came again', () => ofKey('in/between').length === 2);
    const [first, second] = ofKey('in/between') as [Received, Received];
    assert.deepEqual([first.event.id, first.body], [second.event.id, second.body]);
    await until('nothing waits', async () => {
      const { items } = await server.client.call(contract.listNotificationTargets);
      return items.every(({ waiting }) => waiting === 0);
    });
    assert.equal(ofKey('in/between').length, 2);
  });

  it('a target that says it is gone is disabled, and what is removed is told nothing', async () => {
    hook.answer = status(410);
    await put('in/gone');
    await until('it is disabled', async () => /disabled/.test(await cli.ok('notification', 'show', 'hook')));
    const told = hook.received.length;
    hook.answer = status(204);
    await put('in/unheard');
    await until('it was looked at', async () =>
      /, 0 events behind/.test((await server.client.call(contract.health)).parts['notifications']!.detail),
    );
    await cli.ok('notification', 'enable', 'hook');
    await put('in/heard');
    await until('it is told again', () => ofKey('in/heard').length === 1);
    assert.deepEqual([hook.received.length - told, ofKey('in/unheard').length], [1, 0]);
    await cli.ok('notification', 'remove', 'hook', '--yes');
    await cli.fails(4, /There is no target hook/, 'notification', 'show', 'hook');
  });
});
