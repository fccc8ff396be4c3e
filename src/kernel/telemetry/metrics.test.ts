import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMetrics } from './metrics.ts';

describe('metrics', () => {
  test('are counted in the words of the domain', async () => {
    const metrics = createMetrics();
    metrics.onRequest('volumes.create', 202, 0.004);
    metrics.onOperation('volume.create', 'completed', 1.5);
    metrics.onAttempt('volume.create', 'create image', 'failed');
    metrics.onTakeover(3);
    metrics.onBackendCall('file', 'create', 'ok', 0.02);
    metrics.onKeeperRun('trash', 'ok', 0.1);
    metrics.onKeeperRun('retention', 'failed', 0.1);
    metrics.setStreams(2);
    const text = await metrics.text();
    for (const line of [
      'holdfast_http_requests_total{operation="volumes.create",code="202"} 1',
      'holdfast_http_request_seconds_bucket{le="0.005",operation="volumes.create"} 1',
      'holdfast_operations_total{kind="volume.create",status="completed"} 1',
      'holdfast_operation_seconds_sum{kind="volume.create"} 1.5',
      'holdfast_operation_step_attempts_total{kind="volume.create",step="create image",result="failed"} 1',
      'holdfast_operations_adopted_total 3',
      'holdfast_backend_call_seconds_count{backend="file",verb="create",result="ok"} 1',
      'holdfast_keeper_runs_total{keeper="retention",result="failed"} 1',
      'holdfast_sse_streams 2',
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
    assert.match(text, /^holdfast_keeper_last_success_timestamp_seconds\{keeper="trash"\} \d/m);
    assert.doesNotMatch(text, /last_success_timestamp_seconds\{keeper="retention"\}/);
    assert.match(text, /^holdfast_process_cpu_seconds_total \d/m);
  });

  test('ask gauges with labels at each scrape, and forget what is not told any more', async () => {
    const metrics = createMetrics();
    let names = ['a', 'b'];
    metrics.gauges('things', ['name'], 'Things.', async () => names.map((name) => ({ labels: { name }, value: 1 })));
    metrics.gauges('unknown', [], 'What nobody knows.', () => []);
    assert.match(await metrics.text(), /^holdfast_things\{name="a"\} 1\nholdfast_things\{name="b"\} 1$/m);
    names = ['b'];
    const text = await metrics.text();
    assert.doesNotMatch(text, /name="a"/);
    assert.match(text, /^holdfast_things\{name="b"\} 1$/m);
    assert.match(text, /^holdfast_unknown nan$/im);
  });

  test('ask a gauge at each scrape', async () => {
    const metrics = createMetrics();
    let held = 1;
    metrics.gauge('operations_held', 'Operations under way in this process.', () => held);
    assert.match(await metrics.text(), /^holdfast_operations_held 1$/m);
    held = 7;
    assert.match(await metrics.text(), /^holdfast_operations_held 7$/m);
  });

  test('ask a counter at each scrape, and tell it as one', async () => {
    const metrics = createMetrics();
    let count = 1;
    metrics.counter('reads_total', 'Reads so far.', () => count);
    assert.match(await metrics.text(), /^# TYPE holdfast_reads_total counter\nholdfast_reads_total 1$/m);
    count = 7;
    assert.match(await metrics.text(), /^holdfast_reads_total 7$/m);
  });

  test('of two servers in one process are apart, and every name has our prefix', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.setStreams(5);
    const text = await other.text();
    assert.match(text, /^holdfast_sse_streams 0$/m);
    const names = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    assert.deepEqual(
      names.filter((line) => !line.startsWith('holdfast_')),
      [],
    );
    assert.match(other.contentType, /^text\/plain/);
  });
});
