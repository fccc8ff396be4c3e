import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, open, readdir, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { MIB, bytesOf } from '../conformance/sources.ts';
import { collect, isKind } from '../conformance/suite.ts';
import { newOwnerTag } from './owner-tag.ts';
import { sweepTemporary } from './sweep.ts';
import { blobFiles, inTime, openFilesystem, putBytes, temporaryFiles } from './testkit.ts';

const unshare = ['--map-root-user', '--mount'];
const DAY_MS = 86_400_000;

describe('the disk of a filesystem backend', () => {
  it('that is full says so, and keeps nothing of what did not fit', (t) => {
    if (spawnSync('unshare', [...unshare, 'true']).status !== 0) {
      const how = 'no user namespaces; run as root, or set kernel.unprivileged_userns_clone=1';
      assert.notEqual(process.env['HOLDFAST_REQUIRE_REAL'], '1', how);
      return t.skip(how);
    }
    return withTemporary(async (path) => {
      const fixture = fileURLToPath(new URL('./full.fixture.ts', import.meta.url));
      const args = [...unshare, process.execPath, '--no-warnings', fixture, path];
      const told = JSON.parse(execFileSync('unshare', args, { encoding: 'utf8', timeout: 60_000 })) as FullReport;
      assert.equal(told.errors.length, 2, 'a stream and a small blob were refused');
      for (const error of told.errors) {
        assert.deepEqual([error.kind, error.details], ['backend', { errno: 'ENOSPC', reason: 'full' }], error.message);
      }
      assert.deepEqual(told.left, []);
      assert.ok(told.held > 1);
      assert.equal(told.totalBytes, 2 * MIB);
      assert.ok(told.freeBytes < MIB);
    });
  });

  it('that loses the end of a file while it is read breaks the read (failure 14)', () =>
    withTemporary(async (path) => {
      for (const sync of ['true', 'false']) {
        const backend = openFilesystem(path, { sync_small_reads: sync });
        await putBytes(backend, 'b/large', bytesOf(4 * MIB));
        const opened = await backend.get('b/large', null, inTime());
        const [file = ''] = await blobFiles(path);
        await truncate(file, 2 * MIB);
        assert.equal(opened?.sizeBytes, 4 * MIB);
        await assert.rejects(collect(opened.content), isKind('backend', { reason: 'truncated' }));
        for (const range of [
          { offset: 2 * MIB - 5, length: 10 },
          { offset: 2 * MIB - 5, length: 200_000 },
        ]) {
          await assert.rejects(backend.get('b/large', range, inTime()), isKind('backend', { reason: 'truncated' }));
        }
        await backend.close();
      }
    }));

  it('that is taken away is not taken for one without blobs', () =>
    withTemporary(async (parent) => {
      const [path, away] = [join(parent, 'disk'), join(parent, 'away')];
      const backend = openFilesystem(path);
      await putBytes(backend, 'b/kept', Buffer.from('kept'));
      await rename(path, away);
      for (const isMountPoint of [false, true]) {
        if (isMountPoint) await mkdir(path);
        const isMoved = isKind('unavailable');
        await assert.rejects(backend.get('b/kept', null, inTime()), isMoved);
        await assert.rejects(backend.head('b/kept', inTime()), isMoved);
        await assert.rejects(backend.list({ prefix: '', limit: 10 }, inTime()), isMoved);
        await assert.rejects(backend.delete('b/kept', inTime()), isMoved);
        await assert.rejects(putBytes(backend, 'b/small', Buffer.from('x')), isMoved);
        await assert.rejects(putBytes(backend, 'b/large', bytesOf(MIB)), isMoved);
        await assert.rejects(backend.health(inTime()), isMoved);
      }
      assert.deepEqual(await readdir(path), [], 'nothing was written below the mount point');
      await rm(path, { recursive: true });
      await rename(away, path);
      assert.equal((await backend.get('b/kept', null, inTime()))?.sizeBytes, 4);
      await putBytes(backend, 'b/more', Buffer.from('x'));
      await backend.close();
    }));

  it('that is another one is not written to', () =>
    withTemporary(async (parent) => {
      const [path, other] = [join(parent, 'disk'), join(parent, 'other')];
      const backend = openFilesystem(path);
      await putBytes(backend, 'b/one', Buffer.from('1'));
      const another = openFilesystem(other);
      await putBytes(another, 'b/two', Buffer.from('2'));
      await another.close();
      await rename(path, join(parent, 'away'));
      await rename(other, path);
      await assert.rejects(putBytes(backend, 'b/three', Buffer.from('3')), isKind('unavailable'));
      await assert.rejects(backend.get('b/one', null, inTime()), isKind('unavailable'));
      await assert.rejects(backend.health(inTime()), isKind('unavailable'));
      assert.equal((await blobFiles(path)).length, 1);
      await backend.close();
    }));

  it('is set up when it is empty, and refused when it holds something else', () =>
    withTemporary(async (parent) => {
      await writeFile(join(parent, 'somebody.txt'), 'x');
      const strange = openFilesystem(parent);
      await assert.rejects(strange.health(inTime()), isKind('unavailable', { reason: 'strange' }));
      await assert.rejects(putBytes(strange, 'b/x', Buffer.from('x')), isKind('unavailable'));
      assert.deepEqual(await readdir(parent), ['somebody.txt']);
      const path = join(parent, 'new/er');
      const fresh = openFilesystem(path, { expect_marker: '0-0' });
      await assert.rejects(fresh.health(inTime()), isKind('unavailable', { reason: 'other_marker' }));
      await assert.rejects(readdir(path), { code: 'ENOENT' });
      const backend = openFilesystem(path);
      const { detail } = await backend.health(inTime());
      const marker = /marker (.*)$/.exec(detail)?.[1] ?? '';
      assert.equal((await openFilesystem(path, { expect_marker: marker }).health(inTime())).detail, detail);
      await rm(join(path, '.holdfast-objects'));
      await mkdir(join(path, 'blobs/x,'));
      await assert.rejects(openFilesystem(path).health(inTime()), isKind('unavailable', { reason: 'strange' }));
    }));

  it('is swept of temporary files whose process is gone, and of no others', () =>
    withTemporary(async (path) => {
      const [place, pid, start, chance] = newOwnerTag().split('.');
      const ended = spawnSync(process.execPath, ['-v']).pid;
      const names = {
        alive: `${place}.${pid}.${start}.${chance}.1`,
        dead: `${place}.${ended}.${start}.${chance}.1`,
        sameNumber: `${place}.${pid}.1.${chance}.1`,
        strange: `0123456789ab.${pid}.${start}.${chance}.1`,
        old: `0123456789ab.${pid}.${start}.${chance}.2`,
      };
      for (const name of Object.values(names)) await writeFile(join(path, name), 'half a blob');
      const longAgo = (Date.now() - 2 * DAY_MS) / 1000;
      for (const name of [names.alive, names.old]) await utimes(join(path, name), longAgo, longAgo);
      assert.equal(await sweepTemporary(path), 3);
      assert.deepEqual((await readdir(path)).toSorted(), [names.alive, names.strange].toSorted());
    }));

  it('that hangs holds up neither the caller nor others, without sync_small_reads (failure 25)', () =>
    withTemporary(async (path) => {
      const backend = openFilesystem(path, { sync_small_reads: 'false' });
      await putBytes(backend, 'b/hung', Buffer.from('x'));
      const [file = ''] = await blobFiles(path);
      await putBytes(backend, 'b/other', Buffer.from('other'));
      // Nobody writes into this pipe, so the system does not come back from its opening.
      await rm(file);
      execFileSync('mkfifo', [file]);
      const deadline = AbortSignal.timeout(50);
      try {
        // Expected from the start: the deadline may pass while the others are at work.
        const hung = assert.rejects(backend.get('b/hung', null, deadline), (error) => error === deadline.reason);
        assert.equal((await backend.get('b/other', null, inTime()))?.sizeBytes, 5);
        await putBytes(backend, 'b/third', Buffer.from('third'));
        await hung;
      } finally {
        await (await open(file, 'r+')).close();
      }
      await backend.close();
    }));

  it('has room for puts while deletes remove directories that they empty', () =>
    withTemporary(async (path) => {
      const backends = [openFilesystem(path), openFilesystem(path)];
      const live = async (writer: number): Promise<void> => {
        const backend = backends[writer % backends.length]!;
        for (let turn = 0; turn < 40; turn++) {
          const key = `b/${turn % 2}/deep/${writer}`;
          await putBytes(backend, key, Buffer.from(key));
          assert.equal((await backend.get(key, null, inTime()))?.sizeBytes, key.length);
          assert.equal(await backend.delete(key, inTime()), 'deleted');
        }
      };
      await Promise.all([0, 1, 2, 3, 4, 5].map((writer) => live(writer)));
      assert.deepEqual(await readdir(join(path, 'blobs')), []);
      assert.deepEqual(await temporaryFiles(path), []);
      for (const backend of backends) await backend.close();
    }));

  it('is not reached by a put that was given up, after the delete that cleared up (failure 2)', () =>
    withTemporary(async (path) => {
      const backend = openFilesystem(path);
      await backend.health(inTime());
      for (let turn = 0; turn < 60; turn++) {
        const controller = new AbortController();
        const key = `b/${turn}`;
        const size = turn % 2 === 0 ? 4096 : 300_000;
        const putting = putBytes(backend, key, bytesOf(size), controller.signal).catch(() => 'given up');
        for (let wait = 0; wait < turn % 12; wait++) await new Promise(setImmediate);
        controller.abort(new Error('the caller has left'));
        await putting;
        await backend.delete(key, inTime());
      }
      await backend.close();
      assert.deepEqual(await blobFiles(path), []);
      assert.deepEqual(await temporaryFiles(path), []);
    }));
});

interface FullReport {
  readonly errors: readonly { readonly kind: string; readonly message: string; readonly details: unknown }[];
  readonly left: readonly string[];
  readonly held: number;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

async function withTemporary(work: (path: string) => Promise<void>): Promise<void> {
  await using temporary = await temporaryDirectory();
  await work(temporary.path);
}
