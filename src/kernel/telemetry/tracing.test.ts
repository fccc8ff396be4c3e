import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type IncomingMessage, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { contextOf, createTracing, traceparentOf, withSpan } from './tracing.ts';

const endpoint = 'http://127.0.0.1:9';
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = `00-${traceId}-00f067aa0ba902b7-01`;

describe('tracing', () => {
  test('to nowhere is free of spans and of the SDK', () => {
    const url = new URL('tracing.ts', import.meta.url).href;
    const script = `
      const { createTracing, traceparentOf, withSpan, contextOf } = await import(${JSON.stringify(url)});
      const tracing = await createTracing({ exporter: 'none', endpoint: '', version: '1' });
      const found = await withSpan(tracing.tracer, 'x', {}, contextOf(null), async (span) => traceparentOf(span));
      await tracing.shutdown();
      const { createRequire } = await import('node:module');
      const loaded = Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('sdk-trace'));
      console.log(JSON.stringify([found, loaded]));`;
    const args = ['--input-type=module', '--eval', script];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: import.meta.dirname });
    assert.equal(stdout, '[null,false]\n', stderr);
  });

  test('to standard output writes a line a span, with its parent and its error', async () => {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const tracing = await createTracing({ exporter: 'stdout', endpoint, version: '1', write });
    const failure = new Error('the pool is full');
    const run = withSpan(
      tracing.tracer,
      'backend create',
      { 'holdfast.verb': 'create' },
      contextOf(parent),
      async () => {
        throw failure;
      },
    );
    await assert.rejects(run, failure);
    await tracing.shutdown();
    assert.equal(lines.length, 1);
    const { span_id, time, duration_ms, ...rest } = JSON.parse(lines[0]!) as Record<string, unknown>;
    assert.deepEqual(rest, {
      span: 'backend create',
      trace_id: traceId,
      parent_span_id: '00f067aa0ba902b7',
      kind: 'internal',
      attributes: { 'holdfast.verb': 'create' },
      error: 'the pool is full',
    });
    assert.match(String(span_id), /^[0-9a-f]{16}$/);
    assert.equal(new Date(String(time)).toISOString(), time);
    assert.equal(typeof duration_ms, 'number');
  });

  test('to a stream that is gone does not fail the work', async () => {
    const write = () => {
      throw new Error('EPIPE');
    };
    const tracing = await createTracing({ exporter: 'stdout', endpoint, version: '1', write });
    assert.equal(await withSpan(tracing.tracer, 'x', {}, ROOT_CONTEXT, async () => 7), 7);
    await tracing.shutdown();
  });

  test('over OTLP posts the spans to the collector, at the latest when it ends', async () => {
    const requests: Promise<{ url: string | undefined; body: string }>[] = [];
    const collector = createServer((request, response) => {
      requests.push(received(request));
      response.setHeader('content-type', 'application/json').end('{}');
    }).listen(0, '127.0.0.1');
    await once(collector, 'listening');
    try {
      const base = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`;
      const tracing = await createTracing({ exporter: 'otlp', endpoint: base, version: '1.2.3' });
      await withSpan(tracing.tracer, 'volume.create', {}, contextOf(parent), async () => {});
      await tracing.shutdown();
      assert.equal(requests.length, 1);
      const { url, body } = await requests[0]!;
      assert.equal(url, '/v1/traces');
      for (const part of ['volume.create', traceId, '1.2.3']) assert.ok(body.includes(part), body);
    } finally {
      collector.closeAllConnections();
      collector.close();
    }
  });

  test('to a collector that is away does not fail the server', async () => {
    const tracing = await createTracing({ exporter: 'otlp', endpoint, version: '1' });
    assert.equal(await withSpan(tracing.tracer, 'x', {}, ROOT_CONTEXT, async () => 7), 7);
    await tracing.shutdown();
  });
});

describe('a traceparent', () => {
  test('carries a trace through the database to another process', async () => {
    const tracing = await createTracing({ exporter: 'stdout', endpoint, version: '1', write: () => {} });
    const first = tracing.tracer.startSpan('accept', {}, contextOf(parent));
    const kept = traceparentOf(first);
    const second = tracing.tracer.startSpan('carry out', {}, contextOf(kept));
    assert.match(kept!, new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    assert.equal(second.spanContext().traceId, traceId);
    assert.notEqual(second.spanContext().spanId, first.spanContext().spanId);
    await tracing.shutdown();
  });

  test('that is not one begins a new trace', () => {
    const zeros = `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`;
    for (const text of [null, undefined, '', 'x', `${parent}-more`, parent.toUpperCase(), zeros]) {
      assert.equal(contextOf(text), ROOT_CONTEXT);
    }
  });
});

async function received(request: IncomingMessage) {
  // The exporter's default is JSON, which the assertions read as text.
  return { url: request.url, body: (await buffer(request)).toString('utf8') };
}
