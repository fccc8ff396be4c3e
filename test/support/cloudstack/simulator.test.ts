import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { signedRequest } from '../../../src/volumes/backends/cloudstack/signing.ts';
import { until } from '../wait.ts';
import { type Shape, misshapen, shapes } from './recorded-shapes.ts';
import { CloudStackSimulator } from './simulator.ts';
import { GIB } from './world.ts';

type Answer = Record<string, unknown>;

/** Calls as any client would: the HTTP status, the name of the envelope, and what is in it. */
async function call(simulator: CloudStackSimulator, command: string, parameters: Record<string, string> = {}) {
  const body = signedRequest({ command, ...parameters }, simulator, Date.now() + 60_000);
  const response = await fetch(simulator.url, { method: 'POST', body });
  const [[envelope, answer]] = Object.entries((await response.json()) as Record<string, Answer>) as [[string, Answer]];
  return { status: response.status, envelope, answer };
}

async function ended(simulator: CloudStackSimulator, submitted: Answer): Promise<Answer> {
  isShaped(submitted, shapes.submitted);
  return await until('the job ends', async () => {
    const { answer } = await call(simulator, 'queryAsyncJobResult', { jobid: String(submitted['jobid']) });
    isShaped(answer, shapes.job);
    return answer['jobstatus'] === 0 ? null : answer;
  });
}

function isShaped(answer: unknown, shape: Shape): void {
  assert.deepEqual(misshapen(answer, shape), []);
}

function ready(simulator: CloudStackSimulator, name = 'data') {
  return simulator.world.addVolume({ name, sizeBytes: GIB, state: 'Ready' });
}

describe('the simulated CloudStack', () => {
  it('answers in the recorded shapes, through the whole life of a volume', async () => {
    await using sim = await started();
    const { world } = sim;
    // No job ends before it was looked at.
    sim.jobs.durationMs = 60_000;
    const offering = { diskofferingid: world.customOffering.id, zoneid: world.zoneId, size: '2' };
    const created = await call(sim, 'createVolume', { name: 'data', ...offering });
    assert.deepEqual([created.status, created.envelope], [200, 'createvolumeresponse']);
    const id = String(created.answer['id']);
    const volumes: unknown[] = [];
    const look = async () => {
      const { answer } = await call(sim, 'listVolumes', { id });
      isShaped(answer, shapes.list);
      volumes.push(...(answer['volume'] as unknown[]));
    };
    await look();
    sim.jobs.endAll();
    await ended(sim, created.answer);
    const vm = world.addVm();
    const tag = { 'tags[0].key': 'k', 'tags[0].value': 'v', resourceids: id, resourcetype: 'Volume' };
    const steps: readonly (readonly [string, Record<string, string>])[] = [
      ['createTags', tag],
      ['attachVolume', { id, virtualmachineid: vm.id }],
      ['resizeVolume', { id, size: '3' }],
      ['createSnapshot', { volumeid: id, name: 's1' }],
      ['detachVolume', { id }],
    ];
    for (const [command, parameters] of steps) {
      const { status, envelope, answer } = await call(sim, command, parameters);
      assert.deepEqual([status, envelope], [200, `${command.toLowerCase()}response`]);
      await look();
      sim.jobs.endAll();
      assert.equal((await ended(sim, answer))['jobstatus'], 1, command);
      await look();
    }
    for (const volume of volumes) isShaped(volume, shapes.volume);
    const states = volumes.map((volume) => (volume as Answer)['state']);
    for (const state of ['Allocated', 'Attaching', 'Resizing', 'Snapshotting', 'Ready'])
      assert.ok(states.includes(state));
    const { answer: snapshots } = await call(sim, 'listSnapshots', { volumeid: id });
    for (const snapshot of snapshots['snapshot'] as unknown[]) isShaped(snapshot, shapes.snapshot);
    const { answer: offerings } = await call(sim, 'listDiskOfferings');
    for (const each of offerings['diskoffering'] as unknown[]) isShaped(each, shapes.diskoffering);
    assert.deepEqual((await call(sim, 'deleteVolume', { id })).answer, { success: 'true' });
  });

  it('lists nothing as nothing, without a count', async () => {
    await using sim = await started();
    assert.deepEqual((await call(sim, 'listVolumes', { name: 'absent' })).answer, {});
  });

  it('tells errors with their code as the status, and failures of jobs in their result', async () => {
    await using sim = await started();
    const unknown = await call(sim, 'deleteVolume', { id: randomUUID() });
    assert.deepEqual([unknown.status, unknown.answer['cserrorcode']], [431, 9999]);
    isShaped(unknown.answer, shapes.error);
    const body = signedRequest(
      { command: 'listVolumes' },
      { apiKey: sim.apiKey, secretKey: 'wrong' },
      Date.now() + 60_000,
    );
    assert.equal((await fetch(sim.url, { method: 'POST', body })).status, 401);
    const { id } = ready(sim);
    const { answer } = await call(sim, 'detachVolume', { id });
    const job = await ended(sim, answer);
    assert.deepEqual(
      [job['jobstatus'], job['jobresult']],
      [2, { errorcode: 431, errortext: 'The specified volume is not attached to a VM.' }],
    );
  });

  it('takes the id of a job once; a create has entered its volume by then', async () => {
    await using sim = await started();
    const { world } = sim;
    const customjobid = randomUUID();
    const parameters = { diskofferingid: world.customOffering.id, zoneid: world.zoneId, size: '1', customjobid };
    assert.equal((await call(sim, 'createVolume', { name: 'once', ...parameters })).answer['jobid'], customjobid);
    assert.equal((await call(sim, 'createVolume', { name: 'once', ...parameters })).status, 431);
    assert.equal(world.volumes.size, 2);
    const { id } = ready(sim);
    assert.equal((await call(sim, 'resizeVolume', { id, size: '2', customjobid })).status, 431);
    assert.equal(world.volumes.get(id)?.sizeBytes, GIB);
    assert.equal((await call(sim, 'resizeVolume', { id, size: '2', customjobid: 'no-uuid' })).status, 431);
  });

  it('gives devices by its own rules, and shrinks only when that is signed off', async () => {
    await using sim = await started();
    const vm = sim.world.addVm({ state: 'Stopped' });
    const devices: unknown[] = [];
    for (const deviceid of ['', '', '', '0', '7']) {
      const { id } = ready(sim);
      const device: Record<string, string> = deviceid === '' ? {} : { deviceid };
      const { answer } = await call(sim, 'attachVolume', { id, virtualmachineid: vm.id, ...device });
      await ended(sim, answer);
      devices.push(sim.world.volumes.get(id)?.deviceId);
    }
    assert.deepEqual(devices, [1, 2, 4, 0, 7]);
    const large = sim.world.addVolume({ name: 'large', sizeBytes: 5n * GIB, state: 'Ready' });
    const { answer } = await call(sim, 'resizeVolume', { id: large.id, size: '4' });
    assert.equal((await ended(sim, answer))['jobresultcode'], 432);
    const signedOff = await call(sim, 'resizeVolume', { id: large.id, size: '4', shrinkok: 'true' });
    await ended(sim, signedOff.answer);
    assert.equal(large.sizeBytes, 4n * GIB);
  });

  it('sees a shape that was never recorded', () => {
    assert.deepEqual(misshapen({ errorcode: '431' }, shapes.error), [
      'errorcode is string, recorded is number',
      'errortext is missing',
    ]);
    assert.deepEqual(misshapen({ jobid: 'x', extra: 1 }, shapes.submitted), ['extra is number, recorded is nothing']);
  });
});

async function started(): Promise<CloudStackSimulator & AsyncDisposable> {
  const simulator = await CloudStackSimulator.start({ jobDurationMs: 20 });
  return Object.assign(simulator, { [Symbol.asyncDispose]: () => simulator.stop() });
}
