import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { freePort } from '../../../test/support/free-port.ts';
import { type MosquittoOptions, startMosquitto, withMosquitto } from '../../../test/support/mosquitto.ts';
import { until } from '../../../test/support/wait.ts';
import { type Answering, isGenuine, status, webhookReceiver } from '../../../test/support/webhook-receiver.ts';
import { systemClock } from '../../kernel/ids.ts';
import { testMessage } from '../cloud-event.ts';
import type { OpenTarget } from '../target.ts';
import { grantWish } from '../target-wish.ts';
import { openSender } from './open.ts';
import { parseRetryAfter } from './webhook.ts';
import { signatureHeaders } from './signature.ts';

const forever = new AbortController().signal;
const body = testMessage('7', 'tests', '/here', 0);
const message = { id: '7', body };

function target(kind: OpenTarget['kind'], wish: Parameters<typeof grantWish>[2]): OpenTarget {
  const { settings, secrets } = grantWish(kind, null, { timeoutMs: 20_000, ...wish });
  const counts = { waiting: 0, dead: 0, dropped: 0, version: 1, createdAtMs: 0, updatedAtMs: 0 };
  return { name: 'tests', kind, settings, secrets, state: 'active', reason: null, ...counts };
}

test('the signature is the one of Standard Webhooks', () => {
  const headers = signatureHeaders(
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' },
    1_614_265_330_999,
  );
  assert.deepEqual(headers, {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('Retry-After is seconds or a date', () => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z');
  assert.equal(parseRetryAfter('120', nowMs), 120_000);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2026 00:01:00 GMT', nowMs), 60_000);
  assert.equal(parseRetryAfter('Wed, 31 Dec 2025 00:00:00 GMT', nowMs), 0);
  for (const text of [null, 'soon', '-5']) assert.equal(parseRetryAfter(text, nowMs) ?? 0, 0, String(text));
});

describe('a webhook', () => {
  async function answered(answer: Answering, wish: { readonly headers?: Record<string, string> } = {}) {
    await using receiver = await webhookReceiver(answer);
    const sent = await openSender(target('webhook', { url: receiver.url, ...wish }), systemClock).send(
      message,
      forever,
    );
    return { sent, received: [...receiver.received] };
  }

  test('is a signed CloudEvent in structured mode, with the headers that were asked for', async () => {
    await using receiver = await webhookReceiver();
    const one = target('webhook', { url: receiver.url, headers: { Authorization: 'Bearer x' } });
    assert.deepEqual(await openSender(one, systemClock).send(message, forever), { outcome: 'delivered' });
    const [received] = receiver.received;
    assert.equal(received!.body, body);
    assert.equal(received!.headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    assert.equal(received!.headers['authorization'], 'Bearer x');
    assert.equal(received!.headers['webhook-id'], '7');
    assert.equal(isGenuine(one.secrets.secret!, received!), true);
    assert.equal(isGenuine(one.secrets.secret!, { ...received!, body: `${body} ` }), false);
  });

  test('is delivered with any 2xx, without waiting for the end of the answer', async () => {
    for (const code of [200, 201, 202, 204]) assert.equal((await answered(status(code))).sent.outcome, 'delivered');
    const endless: Answering = (_received, response) => void response.writeHead(200).write('x');
    assert.equal((await answered(endless)).sent.outcome, 'delivered');
  });

  test('uses connections again when what was answered is short', async () => {
    await using receiver = await webhookReceiver(status(200, {}, '{"ok":true}'));
    const sender = openSender(target('webhook', { url: receiver.url }), systemClock);
    for (let count = 0; count < 10; count++) await sender.send(message, forever);
    // Two, since the next request may begin before the one before it is quite over.
    assert.ok(new Set(receiver.received.map(({ peerPort }) => peerPort)).size <= 2);
  });

  test('says what was answered otherwise, at most its beginning', async () => {
    const { sent } = await answered(status(500, {}, `no\u0007pe ${'x'.repeat(5_000_000)}`));
    assert.ok(sent.outcome === 'failed' && sent.error.startsWith('The receiver answered 500: no pe x'));
    assert.ok(sent.error.length < 1_200);
  });

  test('follows no redirect', async () => {
    await using other = await webhookReceiver();
    for (const code of [301, 302, 307, 308]) {
      const { sent, received } = await answered(status(code, { location: other.url }));
      assert.ok(sent.outcome === 'failed' && /redirects are not followed/.test(sent.error));
      assert.equal(received.length, 1);
    }
    assert.equal(other.received.length, 0);
  });

  test('is at its end with 410, and is left alone for as long as 429 and 503 say', async () => {
    assert.equal((await answered(status(410))).sent.outcome, 'gone');
    for (const code of [429, 503]) {
      const { sent } = await answered(status(code, { 'retry-after': '9' }));
      assert.ok(sent.outcome === 'failed' && sent.waitMs === 9_000);
    }
    const { sent } = await answered(status(500, { 'retry-after': '9' }));
    assert.ok(sent.outcome === 'failed' && sent.waitMs === null);
  });

  test('that is never answered fails at its deadline', async () => {
    await using receiver = await webhookReceiver(() => {});
    const sender = openSender(target('webhook', { url: receiver.url, timeoutMs: 200 }), systemClock);
    const sent = await sender.send(message, forever);
    assert.ok(sent.outcome === 'failed' && sent.error === 'There was no answer within 0.2 s.', JSON.stringify(sent));
  });

  test('is what its status says when the answer hangs after it', async () => {
    const half =
      (code: number): Answering =>
      (_received, response) =>
        void response.writeHead(code, { 'retry-after': '9' }).write('x');
    assert.deepEqual((await answered(half(503))).sent, {
      outcome: 'failed',
      error: 'The receiver answered 503: x',
      waitMs: 9_000,
    });
    assert.equal((await answered(half(410))).sent.outcome, 'gone');
  });

  test('that cannot be reached says why', async () => {
    const url = `http://127.0.0.1:${await freePort()}/`;
    const sent = await openSender(target('webhook', { url }), systemClock).send(message, forever);
    assert.ok(sent.outcome === 'failed' && /cannot be reached: .*ECONNREFUSED/.test(sent.error));
  });
});

withMosquitto('a broker', () => {
  const publish = (url: string, wish: Partial<Parameters<typeof grantWish>[2]> = {}) =>
    openSender(target('mqtt', { url, topic: 'holdfast/events', ...wish }), systemClock);

  test('is told at QoS 1, and its acknowledgement is awaited', async () => {
    await using broker = await startMosquitto();
    const heard = await broker.collect('holdfast/#');
    const sender = publish(broker.url);
    const all = await Promise.all(Array.from({ length: 20 }, () => sender.send(message, forever)));
    assert.ok(all.every(({ outcome }) => outcome === 'delivered'));
    await until('all are heard', () => heard.messages.length === 20);
    assert.deepEqual(new Set(heard.messages), new Set([body]));
    sender.close();
    await heard.end();
  });

  test('that ends and comes again is connected to again', async () => {
    await using broker = await startMosquitto();
    const sender = publish(broker.url);
    assert.equal((await sender.send(message, forever)).outcome, 'delivered');
    await broker.kill();
    const sent = await sender.send(message, forever);
    assert.ok(sent.outcome === 'failed', JSON.stringify(sent));
    await broker.start();
    await until('it is delivered', async () => (await sender.send(message, forever)).outcome === 'delivered');
    sender.close();
  });

  test('that hangs fails at the deadline, before and after it was connected to', async () => {
    await using broker = await startMosquitto();
    const sender = publish(broker.url, { timeoutMs: 300 });
    const isDelivered = async () => (await sender.send(message, forever)).outcome === 'delivered';
    // A busy machine may need longer than the deadline now and then.
    await until('it is delivered', isDelivered);
    await broker.pause();
    for (let count = 0; count < 2; count++) {
      const sent = await sender.send(message, forever);
      assert.ok(
        sent.outcome === 'failed' && sent.error === 'The broker did not answer within 0.3 s.',
        JSON.stringify(sent),
      );
    }
    broker.resume();
    await until('it is delivered', isDelivered);
    sender.close();
  });

  test('that nobody can reach says why', async () => {
    const sent = await publish(`mqtt://127.0.0.1:${await freePort()}`).send(message, forever);
    assert.ok(sent.outcome === 'failed' && /ECONNREFUSED/.test(sent.error), JSON.stringify(sent));
  });

  test('is shown a user and a password, over TLS that is checked', async () => {
    const options: MosquittoOptions = { isTls: true, user: { username: 'hold', password: 'fast' } };
    await using broker = await startMosquitto(options);
    const { ca } = broker;
    const outcome = async (wish: Parameters<typeof publish>[1]) => {
      const sender = publish(broker.url, wish);
      const sent = await sender.send(message, forever);
      sender.close();
      return sent.outcome === 'failed' ? sent.error : sent.outcome;
    };
    assert.equal(await outcome({ ca, ...options.user }), 'delivered');
    assert.match(await outcome({ ...options.user }), /certificate/);
    assert.match(await outcome({ ca, username: 'hold', password: 'wrong' }), /[Nn]ot authorized/);
    assert.match(await outcome({ ca }), /[Nn]ot authorized/);
  });
});
