import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { isKind } from '../conformance/suite.ts';
import { apiError, isUnknownEntity } from './api-error.ts';
import { CloudStackClient } from './client.ts';
import { Jobs } from './jobs.ts';
import { integerIn, objectsIn, parseJson, textIn } from './json.ts';
import { toRow } from './row.ts';

const signal = () => AbortSignal.timeout(10_000);

/** A server that gives these answers, one after another. `null` is a silence. */
async function scripted(...answers: readonly (readonly [number, string] | null)[]) {
  // Only a silence is waited for.
  const requestTimeoutMs = answers.includes(null) ? 500 : 10_000;
  const left = [...answers];
  const server = createServer((request, response) => {
    request.resume();
    const next = left.shift();
    if (next === null) return;
    const [status, body] = next ?? [500, '{"errorresponse":{"errorcode":530,"errortext":"nothing is left to say"}}'];
    response.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/client/api`;
  return {
    client: new CloudStackClient({ url, apiKey: 'k', secretKey: 's', requestTimeoutMs }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('an answer of CloudStack', () => {
  it('is read in the shapes of old and new servers', async () => {
    await using old = await scripted(
      [200, '{"deletevolumeresponse":{"success":"true"}}'],
      [200, '{ "createvolumeresponse" : {"id":60338,"jobid":34983} }'],
      [200, '{"listvolumesresponse":{}}'],
      [200, '{"listvolumesresponse":{"count":1,"volume":[{"id":"v","state":"Ready","size":9223372036854775807}]}}'],
    );
    const call = (command: string) => old.client.call(command, {}, signal());
    assert.equal(textIn(await call('deleteVolume'), 'success'), 'true');
    const created = await call('createVolume');
    assert.deepEqual([textIn(created, 'id'), textIn(created, 'jobid')], ['60338', '34983']);
    assert.deepEqual(objectsIn(await call('listVolumes'), 'volume'), []);
    const [row] = objectsIn(await call('listVolumes'), 'volume').map(toRow);
    assert.equal(row?.sizeBytes, (1n << 63n) - 1n);
    assert.deepEqual([row?.virtualMachineId, row?.deviceId, row?.jobId, row?.type], [null, null, null, 'DATADISK']);
    assert.equal(textIn({ success: true }, 'success'), 'true');
    assert.equal(integerIn({ jobstatus: '1' }, 'jobstatus'), 1);
  });

  it('that is missing something essential is said to be so', () => {
    assert.throws(() => toRow({ id: 'v' }), isKind('backend'));
    assert.throws(() => parseJson('<html>'), SyntaxError);
  });

  it('of an error passes its text through, as 422', async () => {
    const text = 'Please specify a volume that is not attached to any VM.';
    const body = JSON.stringify({
      attachvolumeresponse: { uuidList: [], errorcode: 431, cserrorcode: 4350, errortext: text },
    });
    await using server = await scripted([431, body]);
    const details = {
      http_status: 422,
      cloudstack_command: 'attachVolume',
      cloudstack_error_code: 431,
      cloudstack_message: text,
      cloudstack_cs_error_code: 4350,
    };
    await assert.rejects(server.client.call('attachVolume', {}, signal()), isKind('conflict', details));
  });

  it('of an unknown id is not_found, and known as such', async () => {
    const text =
      'Unable to execute API command queryasyncjobresult due to invalid value. Invalid parameter jobid value=x due to incorrect long value format, or entity does not exist or due to incorrect parameter annotation for the field in api cmd class.';
    const body = JSON.stringify({
      queryasyncjobresultresponse: { errorcode: 431, cserrorcode: 9999, errortext: text },
    });
    await using server = await scripted([431, body]);
    const error = await server.client.call('queryAsyncJobResult', {}, signal()).catch((thrown: unknown) => thrown);
    isKind('not_found', { cloudstack_cs_error_code: 9999 })(error);
    assert.ok(isUnknownEntity(error));
    assert.ok(
      isUnknownEntity(apiError('detachVolume', { errorcode: 431, errortext: 'Unable to find volume with ID: 5' })),
    );
    assert.ok(!isUnknownEntity(apiError('detachVolume', { errorcode: 530, errortext: 'Failed to detach' })));
  });

  it('of wrong keys says so', async () => {
    const text = 'unable to verify user credentials and/or request signature';
    await using server = await scripted([
      401,
      JSON.stringify({ listzonesresponse: { errorcode: 401, errortext: text } }),
    ]);
    await assert.rejects(
      server.client.call('listZones', {}, signal()),
      isKind('backend', { cloudstack_error_code: 401, cloudstack_message: text }),
    );
  });

  it('that does not come leaves the outcome unknown', async () => {
    await using server = await scripted(
      [502, '<html>Bad Gateway</html>'],
      [200, '[]'],
      [503, '{"r":{"errorcode":534}}'],
      null,
    );
    const call = () => server.client.call('createVolume', {}, signal());
    await assert.rejects(call(), /HTTP 502\) is no JSON/);
    await assert.rejects(call(), isKind('unavailable'));
    await assert.rejects(call(), isKind('unavailable', { cloudstack_error_code: 534 }));
    await assert.rejects(call(), (error) => isKind('unavailable')(error) && /within 0\.5 s/.test(String(error)));
    const nowhere = new CloudStackClient({ url: 'http://127.0.0.1:1/client/api', apiKey: 'k', secretKey: 's' });
    await assert.rejects(nowhere.call('listZones', {}, signal()), isKind('unavailable'));
  });

  it('never shows the keys', async () => {
    const nowhere = new CloudStackClient({ url: 'http://127.0.0.1:1/x', apiKey: 'my-key', secretKey: 'my-secret' });
    const error = await nowhere.call('listZones', {}, signal()).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof HoldfastError);
    assert.doesNotMatch(JSON.stringify([error.message, error.details]), /my-key|my-secret/);
  });
});

describe('a job', () => {
  const job = (fields: object) => JSON.stringify({ queryasyncjobresultresponse: { jobid: 7, ...fields } });
  const polling = { firstMs: 1, lastMs: 2 };

  it('that failed without saying why, or was cancelled, is a failure', async () => {
    await using server = await scripted(
      [200, job({ jobstatus: 0 })],
      [200, job({ jobstatus: 2 })],
      [200, job({ jobstatus: '3' })],
    );
    const jobs = new Jobs(server.client, polling);
    for (const status of ['2', '3']) {
      const ended = await jobs.follow('7', signal());
      assert.ok(ended.end === 'failed');
      assert.match(ended.error.message, new RegExp(`ended with status ${status}`));
    }
  });

  it('is asked for again when an answer is lost, until the deadline', async () => {
    await using server = await scripted(
      [502, '<html>'],
      [200, job({ jobstatus: 1, jobresult: { success: 'true' } })],
      null,
    );
    const jobs = new Jobs(server.client, polling);
    assert.deepEqual(await jobs.follow('7', signal()), { end: 'done', result: { success: 'true' } });
    await assert.rejects(jobs.follow('7', AbortSignal.timeout(50)), isKind('unavailable'));
  });
});
