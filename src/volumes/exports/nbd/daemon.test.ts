import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { qemuIo, runClient } from '../../../../test/support/qemu.ts';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { suspend } from '../../../../test/support/suspend.ts';
import { until } from '../../../../test/support/wait.ts';
import { MIB, at, isKind, newSpec } from '../conformance/suite.ts';
import type { ExportLoss, ExportTarget, LiveExport } from '../target.ts';
import { startDaemon } from './daemon.ts';
import { createNbdTarget } from './nbd.ts';
import { anyPorts, newFile, reads, sizeSeen, withQemu } from './testkit.ts';

withQemu('nbd: the daemon, and what happens to it', () => {
  let temporary: Awaited<ReturnType<typeof temporaryDirectory>>;
  let target: ExportTarget;
  let losses: ExportLoss[];
  before(async () => {
    temporary = await temporaryDirectory();
    losses = [];
    target = createNbdTarget({
      ports: anyPorts,
      runDirectory: join(temporary.path, 'run'),
      onLost: (loss) => losses.push(loss),
    });
  });
  after(async () => {
    await target.close();
    await temporary[Symbol.asyncDispose]();
  });

  test('daemon killed by SIGKILL: told, and put back where it was, with every flushed byte', async () => {
    const specs = [newSpec(await newFile(temporary.path, 4n * MIB)), newSpec(await newFile(temporary.path, 4n * MIB))];
    const lives: LiveExport[] = [];
    for (const spec of specs) lives.push(await target.add(at(), spec));
    for (const [index, { connection }] of lives.entries()) {
      await qemuIo(connection.uri, `write -P ${index + 1} 64k 64k`, 'flush');
    }
    const pid = await daemonPid(target);
    process.kill(pid, 'SIGKILL');
    await until('the loss is told', () => losses.length === 1);
    assert.deepEqual({ kind: losses[0]?.kind, pid: losses[0]?.pid }, { kind: 'nbd', pid });
    assert.match(losses[0]?.reason ?? '', /SIGKILL/);
    assert.deepEqual(await target.list(at()), [], 'what is gone is not remembered');
    // The owner puts back what it wants. Clients find it at the same address.
    for (const [index, spec] of specs.entries()) assert.deepEqual(await target.add(at(), spec), lives[index]);
    assert.notEqual(await daemonPid(target), pid);
    for (const [index, live] of lives.entries()) assert.equal(await reads(live, index + 1, 65_536), true);
    for (const { exportId } of specs) await target.remove(at(), exportId, { force: false });
    assert.equal(losses.length, 1);
  });

  test('a daemon that dies again and again is started ever more slowly, and the caller is told when', async () => {
    const failing = createNbdTarget({ ports: anyPorts, runDirectory: join(temporary.path, 'run') });
    const spec = newSpec(await newFile(temporary.path, 4n * MIB));
    try {
      let error: unknown = null;
      for (let round = 0; round < 8 && error === null; round++) {
        await failing.add(at(), spec).then(
          async () => process.kill(await daemonPid(failing), 'SIGKILL'),
          (thrown: unknown) => (error = thrown),
        );
        await until('the daemon has ended', async () =>
          /is started with/.test((await failing.health(at().signal)).detail),
        );
      }
      isKind('unavailable')(error);
      const { retry_after_ms: retryAfterMs } = (error as { details: Record<string, unknown> }).details;
      assert.ok(Number(retryAfterMs) > 1_000 && Number(retryAfterMs) <= 30_000, String(retryAfterMs));
    } finally {
      await failing.close();
    }
  });

  test('ends with this process, even when that is killed', async () => {
    const file = await newFile(temporary.path, 4n * MIB);
    const fixture = fileURLToPath(new URL('./owner.fixture.ts', import.meta.url));
    const owner = fork(fixture, [file.path, join(temporary.path, 'owner')], { execArgv: [] });
    const [message] = (await once(owner, 'message', { signal: AbortSignal.timeout(20_000) })) as [{ pid: number }];
    assert.equal(existsSync(`/proc/${message.pid}`), true);
    owner.kill('SIGKILL');
    await until('the daemon has ended', () => !existsSync(`/proc/${message.pid}`));
  });

  test('close ends it, without a loss being told, and leaves no file', async () => {
    const run = join(temporary.path, 'closing');
    const told: ExportLoss[] = [];
    const closing = createNbdTarget({ ports: anyPorts, runDirectory: run, onLost: (loss) => told.push(loss) });
    await closing.add(at(), newSpec(await newFile(temporary.path, 4n * MIB)));
    const pid = await daemonPid(closing);
    const [folder = ''] = await readdir(run);
    assert.equal((await stat(join(run, folder))).mode & 0o777, 0o700);
    await closing.close();
    assert.equal(existsSync(`/proc/${pid}`), false);
    assert.deepEqual(await readdir(run), []);
    assert.deepEqual(told, []);
    await assert.rejects(closing.list(at()), isKind('unavailable'));
  });

  test('a daemon that does not answer: the outcome is unknown, and is found out later', async () => {
    const frozen = createNbdTarget({ ports: anyPorts, runDirectory: join(temporary.path, 'run') });
    try {
      const first = newSpec(await newFile(temporary.path, 4n * MIB));
      await frozen.add(at(), first);
      const pid = await daemonPid(frozen);
      await suspend(pid);
      const spec = newSpec(await newFile(temporary.path, 4n * MIB));
      await assert.rejects(frozen.add(at(300), spec), isKind('unavailable'));
      await assert.rejects(frozen.remove(at(300), first.exportId, { force: true }), isKind('unavailable'));
      await assert.rejects(frozen.list(at(300)), isKind('unavailable'));
      process.kill(pid, 'SIGCONT');
      const live = await frozen.add(at(), spec);
      assert.equal(await reads(live, 0, 0), true);
      await frozen.remove(at(), first.exportId, { force: false });
      assert.deepEqual(await frozen.list(at()), [live]);
    } finally {
      await frozen.close();
    }
  });

  test('a forced removal ends although the daemon is frozen, and what else is lost by that is told', async () => {
    const told: ExportLoss[] = [];
    const frozen = createNbdTarget({
      ports: anyPorts,
      runDirectory: join(temporary.path, 'run'),
      onLost: (loss) => told.push(loss),
    });
    try {
      const specs = [
        newSpec(await newFile(temporary.path, 4n * MIB)),
        newSpec(await newFile(temporary.path, 4n * MIB)),
      ];
      const [gone, kept] = [specs[0]!, specs[1]!];
      await frozen.add(at(), gone);
      const live = await frozen.add(at(), kept);
      await qemuIo(live.connection.uri, 'write -P 5 0 64k', 'flush');
      const pid = await daemonPid(frozen);
      await suspend(pid);
      await assert.rejects(frozen.remove(at(1_000), gone.exportId, { force: false }), isKind('unavailable'));
      assert.equal(existsSync(`/proc/${pid}`), true, 'without force nothing is killed');
      await frozen.remove(at(), gone.exportId, { force: true });
      assert.equal(existsSync(`/proc/${pid}`), false);
      await until('the loss is told', () => told.length === 1);
      assert.deepEqual(await frozen.list(at()), []);
      const again = await frozen.add(at(), kept);
      assert.deepEqual(again, live);
      assert.equal(await reads(again, 5, 0), true);
      assert.equal(told[0]?.pid, pid);
    } finally {
      await frozen.close();
    }
  });

  test('a lost connection to the monitor is made again, and cuts no client', async () => {
    const runDirectory = join(temporary.path, 'run');
    const settings = {
      host: '127.0.0.1',
      ports: anyPorts,
      runDirectory,
      environment: process.env,
      log: () => undefined,
    };
    const place = { preferredPort: null, takenPorts: new Set<number>(), tls: null };
    const daemon = await startDaemon(settings, place, at().signal);
    try {
      (await daemon.qmp(at().signal)).close();
      const [first, second] = await Promise.all([daemon.qmp(at().signal), daemon.qmp(at().signal)]);
      assert.equal(first, second, 'one connection, however many ask');
      await first.execute('query-version', undefined, at().signal);
      assert.equal(existsSync(`/proc/${daemon.pid}`), true);
    } finally {
      await daemon.stop();
    }
  });

  test('takes the next port when one is taken, and says so when none is free', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const runDirectory = join(temporary.path, 'run');
    const wide = createNbdTarget({ ports: { first: port, last: port + 20 }, runDirectory });
    const narrow = createNbdTarget({ ports: { first: port, last: port }, runDirectory });
    try {
      const spec = newSpec(await newFile(temporary.path, 4n * MIB));
      await assert.rejects(narrow.add(at(), spec), isKind('unavailable', { reason: 'no_port' }));
      const live = await wide.add(at(), spec);
      assert.ok(live.connection.port > port);
    } finally {
      await Promise.all([wide.close(), narrow.close()]);
      server.close();
    }
  });

  test('says how to install what is missing', async () => {
    const bare = createNbdTarget({ ports: anyPorts, environment: { PATH: temporary.path } });
    await assert.rejects(bare.health(at().signal), isKind('unavailable', { reason: 'not_installed' }));
    const spec = newSpec(await newFile(temporary.path, 4n * MIB));
    await assert.rejects(bare.add(at(), spec), isKind('unavailable', { reason: 'not_installed' }));
    await bare.close();
  });

  test('serves neither a replaced nor a deleted file as if it were the volume', async () => {
    const source = await newFile(temporary.path, 4n * MIB);
    const spec = newSpec(source);
    await target.add(at(), spec);
    const other = await newFile(temporary.path, 4n * MIB);
    await rename(other.path, source.path);
    assert.deepEqual(
      (await target.list(at())).map(({ isStale }) => isStale),
      [true],
    );
    await assert.rejects(target.add(at(), spec), isKind('conflict', { reason: 'stale_image' }));
    await assert.rejects(target.resize(at(), spec.exportId, 8n * MIB), isKind('conflict', { reason: 'stale_image' }));
    await target.remove(at(), spec.exportId, { force: false });
    assert.equal((await target.add(at(), spec)).isStale, false);
    await rm(source.path);
    assert.deepEqual(
      (await target.list(at())).map(({ isStale }) => isStale),
      [true],
    );
    await target.remove(at(), spec.exportId, { force: false });
  });

  test('never shrinks an image, and refuses one that is no whole number of sectors', async () => {
    const source = await newFile(temporary.path, 4n * MIB);
    const spec = newSpec(source);
    await target.add(at(), spec);
    // The volume was grown beneath the export, further than the export is asked to go.
    await truncate(source.path, Number(8n * MIB));
    await assert.rejects(target.resize(at(), spec.exportId, 6n * MIB), isKind('invalid'));
    assert.equal((await stat(source.path)).size, Number(8n * MIB));
    const live = await target.resize(at(), spec.exportId, 8n * MIB);
    assert.equal(await sizeSeen(live), 8n * MIB);
    await target.remove(at(), spec.exportId, { force: false });
    await truncate(source.path, 1_000_001);
    await assert.rejects(target.add(at(), spec), isKind('unsupported'));
    await truncate(source.path, Number(4n * MIB));
    await target.remove(at(), spec.exportId, { force: false });
  });

  test('copies whole images in and out by nbdcopy', async () => {
    const source = await newFile(temporary.path, 16n * MIB);
    const spec = newSpec(source);
    const { connection } = await target.add(at(), spec);
    const random = join(temporary.path, 'random');
    const copied = join(temporary.path, 'copied');
    const steps: [string, string[]][] = [
      ['dd', ['if=/dev/urandom', `of=${random}`, 'bs=1M', 'count=16', 'status=none']],
      ['nbdcopy', ['--flush', random, connection.uri]],
      ['nbdcopy', [connection.uri, copied]],
      ['cmp', [random, copied]],
      ['cmp', [random, source.path]],
    ];
    for (const [program, args] of steps) {
      const { status, stderr } = await runClient(program, args);
      assert.equal(status, 0, `${program}: ${stderr}`);
    }
    await target.remove(at(), spec.exportId, { force: false });
  });
});

async function daemonPid(target: ExportTarget): Promise<number> {
  const { detail } = await target.health(at().signal);
  const pid = Number(/process (\d+)/.exec(detail)?.[1]);
  assert.ok(pid > 1, detail);
  return pid;
}
