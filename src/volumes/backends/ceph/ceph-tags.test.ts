import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ErrorData } from '../../../kernel/errors/errors.ts';
import { CALL_TIMEOUT_MS, type CephBench, at, isKind, newVolume, startBench, withCeph } from './testkit.ts';

withCeph('ceph: tags and their fence between two processes', () => {
  let bench: CephBench;
  before(async () => {
    bench = await startBench();
  });
  after(() => bench.stop());

  test('keeps all tags under one key, bound to the internal id of the image', async () => {
    const volume = { ...newVolume(), name: 'Größe "9" \u0000' };
    const made = await bench.backend.create(at(3), volume);
    assert.equal(made.name, volume.name);
    assert.deepEqual(await bench.backend.inspect(at(), made.image), made);
    const listed = await bench.cluster.run('rbd', 'image-meta', 'list', '--format', 'json', made.location);
    const metadata = JSON.parse(listed) as Record<string, string>;
    assert.deepEqual(Object.keys(metadata), ['holdfast.tags']);
    assert.equal((JSON.parse(metadata['holdfast.tags'] ?? '') as { fence: number }).fence, 3);
    await assert.rejects(bench.backend.setQos(at(2), made.image, {}), isKind('conflict', /fence 3/));
  });

  test('refuses a late write of one who read the tags before the fence was raised', async () => {
    const made = await bench.backend.create(at(1), newVolume());
    const late = await fixture(bench, 'stale-tags', made.image, '1');
    await bench.backend.setQos(at(2), made.image, {});
    const error = await goOn(late);
    assert.equal(error?.kind, 'conflict');
    assert.equal(error.details?.['reason'], 'stale_fence');
    await assert.rejects(bench.backend.setQos(at(1), made.image, {}), isKind('conflict', /fence 2/));
    assert.deepEqual(await bench.backend.inspect(at(), made.image), made);
  });

  test('does not lose an attachment to a write from an older reading, even under a higher fence', async () => {
    const made = await bench.backend.create(at(1), newVolume());
    const late = await fixture(bench, 'stale-tags', made.image, '2');
    const attachment = { attachmentId: 'att-1', nodeId: 'node-a', generation: 1, mode: 'rw' } as const;
    await bench.backend.attach(at(1), made.image, attachment);
    assert.equal((await goOn(late))?.kind, 'unavailable');
    assert.deepEqual((await bench.backend.inspect(at(), made.image))?.attachment, attachment);
  });

  test('lets a write through when nothing has changed since', async () => {
    const made = await bench.backend.create(at(1), newVolume());
    assert.equal(await goOn(await fixture(bench, 'stale-tags', made.image, '1')), null);
    assert.equal((await bench.backend.inspect(at(), made.image))?.name, 'late');
  });

  test('does not take away an attachment that came while a detach of another was under way', async () => {
    const made = await bench.backend.create(at(1), newVolume());
    const first = { attachmentId: 'att-1', nodeId: 'node-a', generation: 1, mode: 'rw' } as const;
    const second = { attachmentId: 'att-2', nodeId: 'node-b', generation: 2, mode: 'rw' } as const;
    await bench.backend.attach(at(1), made.image, first);
    const late = await fixture(bench, 'late-detach', made.image);
    await bench.backend.detach(at(1), made.image, { ...first, force: false });
    await bench.backend.attach(at(1), made.image, second);
    assert.equal((await goOn(late))?.kind, 'unavailable');
    assert.deepEqual((await bench.backend.inspect(at(), made.image))?.attachment, second);
  });

  test('detaches what a slow detach has judged, when nothing has changed since', async () => {
    const made = await bench.backend.create(at(1), newVolume());
    const attachment = { attachmentId: 'att-1', nodeId: 'node-a', generation: 1, mode: 'rw' } as const;
    await bench.backend.attach(at(1), made.image, attachment);
    assert.equal(await goOn(await fixture(bench, 'late-detach', made.image)), null);
    assert.deepEqual(await bench.backend.inspect(at(), made.image), made);
  });

  test('takes an image that was removed during its detach for detached', async () => {
    const made = await bench.backend.create(at(1), newVolume());
    const attachment = { attachmentId: 'att-1', nodeId: 'node-a', generation: 1, mode: 'rw' } as const;
    await bench.backend.attach(at(1), made.image, attachment);
    const late = await fixture(bench, 'late-detach', made.image);
    await bench.cluster.run('rbd', 'rm', '--no-progress', made.location);
    assert.equal(await goOn(late), null);
  });

  test('names tags that somebody has damaged', async () => {
    const made = await bench.backend.create(at(), newVolume());
    await bench.cluster.run('rbd', 'image-meta', 'set', made.location, 'holdfast.tags', '{');
    await assert.rejects(bench.backend.inspect(at(), made.image), isKind('backend', /damaged/));
  });
});

/** Starts another client, which goes as far as its file says and waits there. */
async function fixture({ cluster }: CephBench, name: string, ...args: readonly string[]): Promise<ChildProcess> {
  const file = fileURLToPath(new URL(`./${name}.fixture.ts`, import.meta.url));
  const client = fork(file, [cluster.conf, cluster.pool, ...args], { execArgv: [] });
  process.once('exit', () => client.kill('SIGKILL'));
  await once(client, 'message', { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  return client;
}

/** Lets the client do what it decided from its reading; resolves to its error. */
async function goOn(client: ChildProcess): Promise<ErrorData | null> {
  const answer = once(client, 'message', { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  client.send('go');
  const [{ error }] = (await answer) as [{ error: ErrorData | null }];
  client.kill('SIGKILL');
  return error;
}
