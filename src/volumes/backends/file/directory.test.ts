import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type TestContext, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { MIB, at, isKind, newVolume, reading } from '../conformance/suite.ts';
import { createFileBackend } from './file.ts';

const run = promisify(execFile);
const MARKER = '.holdfast-files';

describe('the file backend and its directory', () => {
  it('is made when it is new, with its parents, and by many calls at once', async () => {
    await using temporary = await temporaryDirectory();
    const directory = join(temporary.path, 'a', 'b');
    const backends = [createFileBackend({ directory }), createFileBackend({ directory })];
    const calls = backends.flatMap((backend) => [backend.create(at(), newVolume()), backend.create(at(), newVolume())]);
    const results = await Promise.allSettled(calls);
    // Of two processes that set it up at once, one may be told to come again; nothing else may go wrong.
    for (const result of results) if (result.status === 'rejected') isKind('unavailable')(result.reason);
    for (const backend of backends) await backend.create(at(), newVolume());
    const health = await backends[0]!.health(reading().signal);
    assert.ok(health.freeBytes! > 0n && health.totalBytes! >= health.freeBytes!);
    assert.ok(health.detail.includes(directory));
  });

  it('may hold what a new file system holds', async () => {
    await using temporary = await temporaryDirectory();
    await mkdir(join(temporary.path, 'lost+found'));
    await createFileBackend({ directory: temporary.path }).create(at(), newVolume());
  });

  it('is set up by the next call when a setup was cut off', async () => {
    await using temporary = await temporaryDirectory();
    await mkdir(join(temporary.path, 'images'));
    await writeFile(join(temporary.path, `${MARKER}.cut-off`), '');
    await createFileBackend({ directory: temporary.path }).create(at(), newVolume());
    assert.ok((await readdir(temporary.path)).includes(MARKER));
  });

  it('is refused when it holds something else, and is left as it is', async () => {
    await using temporary = await temporaryDirectory();
    await mkdir(join(temporary.path, 'images'));
    await writeFile(join(temporary.path, 'images', 'somebody.img'), 'bytes');
    const backend = createFileBackend({ directory: temporary.path });
    await assert.rejects(backend.health(reading().signal), isKind('unavailable'));
    await assert.rejects(backend.list(reading(), { limit: 1 }), isKind('unavailable'));
    await assert.rejects(
      backend.create(at(), newVolume()),
      /holds other files \(images\) and no \.holdfast-files\. Mount/,
    );
    assert.deepEqual(await readdir(temporary.path), ['images']);
  });

  it('is not taken for empty when its disk is gone, and works again when it is back', async () => {
    await using temporary = await temporaryDirectory();
    const directory = join(temporary.path, 'volumes');
    const backend = createFileBackend({ directory });
    const made = await backend.create(at(), newVolume());
    await rename(directory, `${directory}-elsewhere`);
    await assert.rejects(backend.inspect(reading(), made.image), /mount its disk again\.$/);
    await mkdir(directory);
    await assert.rejects(backend.inspect(reading(), made.image), isGone);
    await assert.rejects(backend.purge(at(), made.image), isGone);
    await assert.rejects(backend.list(reading(), { limit: 1 }), isGone);
    await assert.rejects(backend.create(at(), newVolume()), isGone);
    await assert.rejects(backend.health(reading().signal), isGone);
    assert.deepEqual(await readdir(directory), []);
    await createFileBackend({ directory }).create(at(), newVolume());
    await assert.rejects(backend.inspect(reading(), made.image), isGone, 'another disk is there');
    await rm(directory, { recursive: true });
    await rename(`${directory}-elsewhere`, directory);
    assert.deepEqual(await backend.inspect(reading(), made.image), made);
  });

  it('is remembered beside a mount point, so that a restart without the disk does not lose everything', async (t) => {
    await using mounted = await mountTmpfs(t, 'size=8m');
    if (mounted === null) return;
    const { directory } = mounted;
    const made = await createFileBackend({ directory }).create(at(), newVolume());
    const note = join(dirname(directory), `.${basename(directory)}${MARKER}`);
    assert.equal(await readFile(note, 'utf8'), await readFile(join(directory, MARKER), 'utf8'));
    await run('umount', [directory]);
    assert.deepEqual(await readdir(directory), []);
    const restarted = createFileBackend({ directory });
    await assert.rejects(restarted.inspect(reading(), made.image), /mount its disk, or remove .* to start anew\.$/);
    assert.deepEqual(await readdir(directory), []);
    await rm(note);
    assert.equal(await restarted.inspect(reading(), made.image), null);
  });
});

describe('the file backend when the operating system refuses', () => {
  it('says that the disk is full, and finishes when there is room', async (t) => {
    await using mounted = await mountTmpfs(t, 'size=4m');
    if (mounted === null) return;
    const backend = createFileBackend({ directory: mounted.directory });
    const { image, location } = await backend.create(at(), newVolume({ sizeBytes: 4n * MIB }));
    await writeFile(location, Buffer.alloc(Number(2n * MIB), 'x'), { flag: 'r+' });
    const ballast = join(mounted.directory, 'ballast');
    await writeFile(ballast, Buffer.alloc(Number(MIB), 'x'));
    await assert.rejects(backend.createSnapshot(at(), image, 's1'), /The disk is full\.$/);
    await assert.rejects(backend.createSnapshot(at(), image, 's1'), isKind('backend', { errno: 'ENOSPC' }));
    assert.deepEqual(await backend.listSnapshots(reading(), image), []);
    assert.deepEqual(await readdir(join(mounted.directory, 'tmp')), []);
    await writeFile(location, Buffer.alloc(Number(2n * MIB)));
    await rm(ballast);
    await backend.createSnapshot(at(), image, 's1');
  });

  it('says that the file system is read-only, and reads on', async (t) => {
    await using mounted = await mountTmpfs(t, 'size=8m');
    if (mounted === null) return;
    const backend = createFileBackend({ directory: mounted.directory });
    const made = await backend.create(at(), newVolume());
    await run('mount', ['-o', 'remount,ro', mounted.directory]);
    const isReadOnly = isKind('unavailable', { errno: 'EROFS' });
    await assert.rejects(backend.health(reading().signal), /mounted read-only\.$/);
    await assert.rejects(backend.create(at(), newVolume()), isReadOnly);
    await assert.rejects(backend.trash(at(), made.image), isReadOnly);
    await assert.rejects(backend.purge(at(), made.image), isReadOnly);
    assert.deepEqual(await backend.inspect(reading(), made.image), made);
  });

  it('says that it has no permission', async (t) => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    await backend.create(at(), newVolume());
    await using denied = await denyWriting(t, join(temporary.path, 'tmp'));
    if (denied === null) return;
    await assert.rejects(backend.create(at(), newVolume()), isKind('unavailable'));
    await assert.rejects(backend.create(at(), newVolume()), /no permission there\.$/);
  });

  it('says that a file would be larger than the process may make', async () => {
    await using temporary = await temporaryDirectory();
    const fixture = fileURLToPath(new URL('./limit.fixture.ts', import.meta.url));
    // In units of 1024 bytes.
    const script = 'ulimit -f 1024 && exec "$0" "$@"';
    const { stdout } = await run('bash', ['-c', script, process.execPath, '--no-warnings', fixture, temporary.path]);
    const { kind, message } = JSON.parse(stdout) as { kind: string; message: string };
    assert.equal(kind, 'backend');
    assert.match(message, /larger than the file system or the process limit allows\.$/);
    // The file is there by then, too short: nothing that could be taken for the volume.
    const backend = createFileBackend({ directory: temporary.path });
    const [cutOff] = await backend.list(reading(), { limit: 1 });
    assert.equal(cutOff?.complete, false);
    const volume = newVolume({ image: cutOff.image, volumeId: cutOff.volumeId!, sizeBytes: 8n * MIB });
    const finished = await backend.create(at(), volume);
    assert.deepEqual([finished.complete, finished.sizeBytes], [true, 8n * MIB]);
  });
});

const isGone = isKind('unavailable');

interface Borrowed extends AsyncDisposable {
  readonly directory: string;
}

/** A small file system of its own; `null`, with the test skipped, where this process may not mount. */
async function mountTmpfs(t: TestContext, options: string): Promise<Borrowed | null> {
  const temporary = await temporaryDirectory();
  const directory = join(temporary.path, 'disk');
  await mkdir(directory);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', options, 'holdfast-test', directory]);
  } catch (error) {
    t.skip(`cannot mount: ${String(error)}`);
    await temporary[Symbol.asyncDispose]();
    return null;
  }
  const dispose = async () => {
    // A test may have unmounted it already.
    await run('umount', [directory]).catch(() => undefined);
    await rmdir(directory).catch(() => undefined);
    await temporary[Symbol.asyncDispose]();
  };
  return { directory, [Symbol.asyncDispose]: dispose };
}

/** Forbids writing to a directory, to root by an attribute; `null`, with the test skipped, where that is not possible. */
async function denyWriting(t: TestContext, directory: string): Promise<Borrowed | null> {
  if (process.getuid?.() !== 0) {
    await chmod(directory, 0o555);
    return { directory, [Symbol.asyncDispose]: () => chmod(directory, 0o755) };
  }
  try {
    await run('chattr', ['+i', directory]);
  } catch (error) {
    t.skip(`root may write everywhere, and chattr does not work here: ${String(error)}`);
    return null;
  }
  const allow = async () => {
    await run('chattr', ['-i', directory]);
  };
  return { directory, [Symbol.asyncDispose]: allow };
}
