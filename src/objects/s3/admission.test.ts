import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../../../test/support/wait.ts';
import { Admission, type AdmissionOptions } from '../admission/admission.ts';
import { openStage } from './test-stage.ts';

const hang = { verb: 'get', times: 1, effect: 'hang' } as const;

/** Admission on a clock that stands still, so that no token comes by itself. */
function admissionOf(options: Partial<AdmissionOptions>): Admission {
  const clock = { nowMs: () => 1_000 };
  return new Admission({ requestsMax: 8, waitMs: 60_000, userRate: 0, bucketRate: 0, clock, ...options });
}

const head = (method: string, target: string, headers: readonly string[], body = '') =>
  `${method} ${target} HTTP/1.1\r\n${pairs(headers)}\r\n\r\n${body}`;

function pairs(headers: readonly string[]): string {
  const lines: string[] = [];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  return lines.join('\r\n');
}

describe('requests for which there is no turn', () => {
  test('are told to slow down before their body is read, and the connection goes on', async () => {
    const admission = admissionOf({ userRate: 2 });
    await using at = await openStage({ admission });
    const unsigned = 'UNSIGNED-PAYLOAD';
    const put = (key: string) =>
      head('PUT', `/box/${key}`, at.sign('PUT', `/box/${key}`, ['host', at.url.host, 'content-length', '5'], unsigned));
    await at.ask('PUT', '/box');
    const answers = await at.raw(
      `${put('a')}hello${put('b')}hello${put('c')}hello`,
      (text) => text.split('HTTP/1.1 ').length > 3 && text.split('</Error>').length > 2,
    );
    assert.deepEqual(
      [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ['200', '503', '503'],
    );
    assert.match(answers, /retry-after: 1/i);
    assert.match(answers, /<Code>SlowDown</);
    assert.equal(at.backend.calls.filter(({ verb }) => verb === 'put').length, 1);
    assert.deepEqual(admission.refusals, { rate: 2, queue: 0 });
  });

  test('are HEAD, GET, PUT and DELETE alike, by user and by bucket', async () => {
    const admission = admissionOf({ bucketRate: 1 });
    await using at = await openStage({ admission });
    await at.ask('PUT', '/box');
    for (const method of ['HEAD', 'GET', 'PUT', 'DELETE']) {
      const answer = await at.ask(method, '/box/k');
      assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1'], method);
    }
    assert.equal((await at.ask('GET', '/other')).status, 404, 'another bucket has its own');
    assert.equal((await at.ask('GET', '/')).status, 200, 'and what is asked of none has no limit');
  });

  test('are those that waited too long; who was let in is served', async () => {
    const admission = admissionOf({ requestsMax: 1, waitMs: 20 });
    await using at = await openStage({ admission });
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/box/k', { body: 'x' });
    at.backend.faults.push({ verb: 'get', times: 1, effect: 'slow', delayMs: 1_000 });
    const slow = at.ask('GET', '/box/k');
    await until('it is at work', () => at.backend.calls.some(({ verb }) => verb === 'get'));
    assert.equal((await at.ask('GET', '/box/k')).status, 503);
    assert.equal((await slow).text, 'x');
    assert.equal((await at.ask('GET', '/box/k')).status, 200);
    assert.deepEqual([admission.refusals.queue, admission.atWork, admission.waiting], [1, 0, 0]);
  });

  test('a client that goes away leaves its place in line, and its place at work', async () => {
    const admission = admissionOf({ requestsMax: 1 });
    await using at = await openStage({ admission });
    await at.ask('PUT', '/box');
    await at.ask('PUT', '/box/k', { body: 'x' });
    at.backend.faults.push(hang);
    const get = head('GET', '/box/k', at.sign('GET', '/box/k', ['host', at.url.host], 'UNSIGNED-PAYLOAD'));
    const sockets = [at.connect(), at.connect()];
    sockets[0]!.write(get);
    await until('one is at work', () => admission.atWork === 1);
    sockets[1]!.write(get);
    await until('one waits', () => admission.waiting === 1);
    sockets[1]!.destroy();
    await until('nobody waits', () => admission.waiting === 0);
    sockets[0]!.destroy();
    await until('nobody is at work', () => admission.atWork === 0);
    assert.equal((await at.ask('GET', '/box/k')).text, 'x');
  });

  test('a bucket that is asked too much leaves turns to another', async () => {
    const admission = admissionOf({ requestsMax: 2 });
    await using at = await openStage({ admission });
    for (const bucket of ['busy', 'calm']) {
      await at.ask('PUT', `/${bucket}`);
      await at.ask('PUT', `/${bucket}/k`, { body: bucket });
    }
    // All that the busy one has takes long, one after another.
    const isBusy = (key: string) => key.startsWith('busy/');
    at.backend.faults.push({ verb: 'get', key: isBusy, times: 100, effect: 'slow', delayMs: 500 });
    const ended: string[] = [];
    const ask = async (bucket: string) => {
      const { status } = await at.ask('GET', `/${bucket}/k`);
      ended.push(`${bucket} ${status}`);
    };
    const busy = [ask('busy'), ask('busy'), ask('busy'), ask('busy')];
    await until('its requests fill the line', () => admission.atWork === 2 && admission.waiting === 2);
    const calm = ask('calm');
    await Promise.all([...busy, calm]);
    assert.ok(ended.indexOf('calm 200') < 4, ended.join());
    // The one too many was of those that have most in line.
    assert.deepEqual(ended.toSorted(), ['busy 200', 'busy 200', 'busy 200', 'busy 503', 'calm 200']);
  });
});
