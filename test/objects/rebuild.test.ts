import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { RootKeys } from '../../src/objects/encryption/load-root-keys.ts';
import { ownPrefix } from '../../src/objects/encryption/key-blobs.ts';
import { localRootKey } from '../../src/objects/encryption/root-key.ts';
import { startRewrite } from '../../src/objects/ledger/rewrites.ts';
import { backupPrefix } from '../../src/objects/rebuilding/backup-place.ts';
import { loadBackupMemory, saveBackupMemory } from '../../src/objects/rebuilding/backup-memory.ts';
import { rebuildLedger } from '../../src/objects/rebuilding/rebuild.ts';
import { beginRebuild, endRebuild } from '../../src/objects/rebuilding/runs.ts';
import type { RebuildWish } from '../../src/objects/rebuilding/wish.ts';
import type { ObjectRow } from '../../src/objects/tables.ts';
import { type StoreEngine, onEveryStore } from '../support/stores.ts';
import { assertClean, beginUpload, chunked, complete, copy, count, put, putPart, read, remove } from './acts.ts';
import { type Lab, type LabBackend, labBackends, openLab } from './lab.ts';
import { rootKeysOf, testRootKeys } from './test-keys.ts';

const signal = new AbortController().signal;
const partBytes = 5 * 1024 ** 2;
let runs = 0;
const all: RebuildWish = { isMissingOnly: false, isDryRun: false, isLossAccepted: false, backends: [] };

async function rebuild(lab: Lab, wish: Partial<RebuildWish> = {}) {
  const { store, registry, encryption, keyring, clock, settings } = lab;
  const run = { id: `reb-${runs++}`, wish: { ...all, ...wish } };
  await store.write(beginRebuild, { ...run, actor: 'tester', nowMs: clock.nowMs() });
  const end = { id: run.id, nowMs: clock.nowMs() };
  try {
    const report = await rebuildLedger({ store, registry, encryption, keyring, clock, settings }, run.wish, signal);
    await store.write(endRebuild, { ...end, report, error: null });
    return report;
  } catch (error) {
    await store.write(endRebuild, { ...end, report: null, error: String(error) });
    throw error;
  }
}

/** Objects of every kind. */
async function fill(lab: Lab): Promise<void> {
  await lab.bucket('plain', { copies: 2, durability: 'all' });
  await lab.bucket('packed', { compression: 'zstd' });
  await lab.bucket('safe', { copies: 2, durability: 'all', encryption: { kind: 'aes256' } });
  await lab.bucket('versions', { versioning: 'enabled', isLockEnabled: true });
  await put(lab, 'plain', 'a/ä "1"', 'one', { tags: { colour: 'red' } });
  await put(lab, 'plain', 'twice', 'before');
  await put(lab, 'plain', 'twice', 'after');
  await put(lab, 'plain', 'gone', 'gone');
  await remove(lab, 'plain', 'gone');
  await copy(lab, ['plain', 'twice'], ['plain', 'shared']);
  await put(lab, 'plain', 'large', chunked(600_000), { sizeBytes: 600_000 });
  await put(lab, 'packed', 'words', 'word '.repeat(20_000));
  await put(lab, 'safe', 'secret', randomBytes(100_000), {
    attributes: { contentType: 'image/png', headers: { 'cache-control': 'no-store' }, metadata: { a: 'b' } },
  });
  const upload = await beginUpload(lab, 'safe', 'parts');
  const first = await putPart(lab, upload, 1, chunked(partBytes), partBytes);
  await putPart(lab, upload, 2, Buffer.from('not this'));
  const second = await putPart(lab, upload, 2, Buffer.from('the end'));
  await complete(lab, upload, [first, second]);
  for (const text of ['v1', 'v2']) await put(lab, 'versions', 'k', text);
  const retention = { mode: 'GOVERNANCE', untilMs: 4_000_000_000_000 } as const;
  await put(lab, 'versions', 'k', 'v3', { lock: { retention, isLegalHold: true } });
  await put(lab, 'versions', 'hidden', 'still there');
  await remove(lab, 'versions', 'hidden');
}

/** All that the ledger says of versions, and what is read of each. */
async function everything(lab: Lab): Promise<unknown[]> {
  const rows = await lab.store.read((reader) =>
    reader.rows<ObjectRow>('select * from objects order by bucket, object_key, seq', []),
  );
  const seen = [];
  for (const { seq: _, ...row } of rows) {
    const bytes = row.is_marker === 1 ? null : await read(lab, row.bucket, row.object_key, row.version_id);
    seen.push({ ...row, bytes: bytes?.toString('base64') });
  }
  return seen;
}

/** How the bytes of each copy of an object are laid down, and what verifies pieces of them. */
async function formsOf(lab: Lab, key: string): Promise<unknown[]> {
  const statement = `select c.backend, c.crc32, c.form from copies c join objects o on o.content_id = c.content_id
    where o.object_key = ? order by c.backend`;
  return lab.store.read((reader) => reader.rows(statement, [key]));
}

async function bucketsOf(lab: Lab): Promise<unknown[]> {
  return lab.store.read((reader) => reader.rows('select * from buckets order by name', []));
}

/** The same backends under a new, empty ledger. */
async function lose(engine: StoreEngine, lab: Lab, keys: RootKeys | null, backends = lab.backends): Promise<Lab> {
  await lab.close();
  return openLab(engine, backends, keys);
}

onEveryStore('a ledger that was lost', (engine) => {
  const keys = testRootKeys('root');
  const filled = async (backends: readonly LabBackend[] = labBackends(2)) => {
    const lab = await openLab(engine, backends, keys);
    await fill(lab);
    await lab.settle();
    return lab;
  };

  test('is rebuilt from the backends alone: every version, its attributes and its bytes', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    await put(lab, 'plain', 'later', 'told by a change', { tags: { n: '1' } });
    await remove(lab, 'versions', 'k');
    await lab.keepers().backup.run(signal);
    await lab.settle();
    const [before, buckets] = [await everything(lab), await bucketsOf(lab)];
    const next = await lose(engine, lab, keys);
    const dry = await rebuild(next, { isDryRun: true });
    assert.equal(await count(next.store, 'objects'), 0);
    const report = await rebuild(next);
    assert.deepEqual(dry, report);
    assert.deepEqual(report.findings, []);
    assert.deepEqual(await bucketsOf(next), buckets);
    assert.deepEqual(await everything(next), before);
    await assertClean(next);
    // It is backed up like any other now, and the backup before it goes.
    assert.match(await next.keepers().backup.run(signal), /all there is/);
    await assert.rejects(rebuild(next), { kind: 'conflict' });
    const again = await rebuild(next, { isMissingOnly: true });
    assert.deepEqual([again.keys, again.standing > 0], [0, true]);
    await assertClean(next);
    await next.close();
  });

  test('of which no backup stands has what blobs say of themselves', async () => {
    const lab = await filled();
    const forms = await formsOf(lab, 'large');
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    assert.equal(report.backup, null);
    assert.deepEqual(await formsOf(next, 'large'), forms);
    assert.match(JSON.stringify(forms), /crc32s/);
    assert.equal(report.lost + report.unknown, 0);
    assert.equal((await read(next, 'plain', 'twice')).toString(), 'after');
    assert.equal((await read(next, 'packed', 'words')).toString(), 'word '.repeat(20_000));
    assert.equal((await read(next, 'versions', 'k')).toString(), 'v3');
    const secret = await next.gateway.objects.stat({ bucket: 'safe', key: 'secret' });
    assert.deepEqual(secret.attributes.metadata, { a: 'b' });
    assert.deepEqual((await next.gateway.objects.stat({ bucket: 'plain', key: 'a/ä "1"' })).tags, { colour: 'red' });
    assert.equal((await next.gateway.objects.stat({ bucket: 'versions', key: 'k' })).lock?.isLegalHold, true);
    assert.equal((await next.gateway.objects.listVersions(page('versions'))).versions.length, 4);
    // What only the ledger knew is an upload again, which its client completes.
    const [upload] = (await next.gateway.uploads.list({ ...page('safe'), after: null })).uploads;
    const parts = await next.gateway.uploads.listParts(upload!, { after: 0, limit: 10 });
    await complete(next, upload!, parts);
    assert.equal((await read(next, 'safe', 'parts')).subarray(-7).toString(), 'the end');
    await assertClean(next);
    await next.close();
  });

  test('has what came after the backup, and says what may have been deleted since', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    lab.clock.advance(3_600_000);
    await put(lab, 'plain', 'newer', 'newer');
    await put(lab, 'plain', 'twice', 'newest');
    await lab.settle();
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    const doubtful = report.findings.filter(({ kind }) => kind === 'doubtful').map(({ detail }) => detail);
    assert.equal(doubtful.length, 2);
    assert.match(doubtful[0]!, /^plain\/newer \(version null\) is newer/);
    assert.equal((await read(next, 'plain', 'newer')).toString(), 'newer');
    assert.equal((await read(next, 'plain', 'twice')).toString(), 'newest');
    assert.equal((await read(next, 'plain', 'shared')).toString(), 'after');
    await assertClean(next);
    await next.close();
  });

  test('is backed up whole when two processes began to at once, and by one that is left afterwards', async () => {
    const lab = await filled();
    const other = await lab.another();
    const keepers = [lab, lab, other, other].map((one) => one.keepers());
    for (let round = 0; round < 8; round++) {
      const ends = await Promise.allSettled(keepers.map(({ backup }) => backup.run(signal)));
      for (const end of ends) {
        if (end.status === 'rejected') assert.match(String(end.reason), /Another process backs up/);
      }
      await put(lab, 'plain', `round ${round % 3}`, `${round}`, { tags: { n: `${round}` } });
      const { reconciler } = other.keepers();
      assert.doesNotMatch(await reconciler.run(signal), /another ledger/);
      if (round % 3 === 0) lab.clock.advance(8 * 86_400_000);
    }
    await lab.keepers().backup.run(signal);
    await lab.settle();
    const before = await everything(lab);
    await other.close();
    const next = await lose(engine, lab, keys);
    assert.deepEqual((await rebuild(next)).findings, []);
    assert.deepEqual(await everything(next), before);
    await next.close();
  });

  test('is not written over by the backup of the one that comes after it', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    const next = await lose(engine, lab, keys);
    await assert.rejects(async () => next.keepers().backup.run(signal), { kind: 'conflict' });
    assert.deepEqual((await rebuild(next)).findings, []);
    await next.close();
  });

  test('with one backend of two lost has all that had two copies, and says what is lost', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    const [, second] = lab.backends;
    const fresh = labBackends(2)[0]!;
    const next = await lose(engine, lab, keys, [fresh, { ...second!, name: 'm2' }]);
    const report = await rebuild(next);
    assert.equal((await read(next, 'plain', 'twice')).toString(), 'after');
    assert.equal((await read(next, 'safe', 'parts')).length, partBytes + 7);
    const lost = report.findings.filter(({ kind }) => kind === 'lost').map(({ detail }) => detail);
    assert.ok(lost.some((detail) => detail.startsWith('packed/words ')));
    assert.equal(report.lost, lost.length);
    await assertClean(next);
    // The backup of what is lost is kept until that is given up.
    await assert.rejects(async () => next.keepers().backup.run(signal), { kind: 'conflict' });
    await rebuild(next, { isMissingOnly: true, isLossAccepted: true });
    assert.match(await next.keepers().backup.run(signal), /all there is/);
    await next.close();
  });

  test('takes no damaged and no foreign blob for an object', async () => {
    const lab = await filled();
    const [{ backend }] = lab.backends as [LabBackend];
    const own = [...backend.blobs].filter(([key]) => !key.startsWith(ownPrefix));
    const [safe] = own.filter(([key]) => key.startsWith('safe/'));
    const { bytes } = safe![1] as { bytes: Buffer };
    const forged = Buffer.from(bytes);
    forged[forged.indexOf('"key":"') + 7]! ^= 1;
    Object.assign(safe![1], { bytes: forged });
    for (const [key, content] of [
      ['plain/photo.jpg', Buffer.from('a foreign file')],
      ['plain/copy-of-ours', own[0]![1].bytes],
    ] as const) {
      await backend.put(key, content, { sizeBytes: content.length, signal });
    }
    const next = await lose(engine, lab, keys);
    const report = await rebuild(next);
    const unknown = report.findings.filter(({ kind }) => kind === 'unknown').map(({ detail }) => detail.split(' ')[0]);
    assert.deepEqual(unknown.sort(), ['plain/copy-of-ours', 'plain/photo.jpg', safe![0]].sort());
    assert.equal((await read(next, 'safe', 'secret')).length, 100_000);
    const { findings } = await next.check();
    assert.deepEqual([...new Set(findings.map(({ kind }) => kind))], ['orphan']);
    await next.close();
  });

  test('is read around damaged bytes, and has its second copies made good', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    for (const [key, blob] of lab.backends[0]!.backend.blobs) {
      if (key.startsWith('plain/')) Object.assign(blob, { bytes: flipped(blob.bytes, 0) });
    }
    const next = await lose(engine, lab, keys);
    assert.deepEqual((await rebuild(next)).findings, []);
    assert.equal((await read(next, 'plain', 'twice')).toString(), 'after');
    const { findings } = await next.check();
    assert.deepEqual([...new Set(findings.map(({ kind }) => kind))], ['damaged_copy']);
    await next.close();
  });

  test('has its uploads open again, and what was encrypted, with the parts that were sent', async () => {
    const lab = await filled();
    const upload = await beginUpload(lab, 'safe', 'open');
    await putPart(lab, upload, 1, chunked(partBytes), partBytes);
    await lab.keepers().backup.run(signal);
    lab.clock.advance(86_400_000);
    const next = await lose(engine, lab, keys);
    assert.equal((await rebuild(next)).uploads, 1);
    const [again] = (await next.gateway.uploads.list({ ...page('safe'), after: null })).uploads;
    assert.equal(again!.uploadId, upload.uploadId);
    const parts = await next.gateway.uploads.listParts(again!, { after: 0, limit: 10 });
    await complete(next, again!, [...parts, await putPart(next, again!, 2, Buffer.from('more'))]);
    assert.equal((await read(next, 'safe', 'open')).length, partBytes + 4);
    await assertClean(next);
    await next.close();
  });

  test('is filled up with what is missing alone, as after a run that did not end', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    const before = await everything(lab);
    const next = await lose(engine, lab, keys);
    let reads = 0;
    const { store, registry, encryption, keyring, clock, settings } = next;
    const broken = new AbortController();
    const onProgress = () => void (++reads === 3 && broken.abort(new Error('ended')));
    const started = rebuildLedger(
      { store, registry, encryption, keyring, clock, settings },
      all,
      broken.signal,
      onProgress,
    );
    await assert.rejects(started, /ended/);
    await put(next, 'plain', 'twice', 'written by a client meanwhile');
    await rebuild(next, { isMissingOnly: true });
    const isOther = (row: unknown) => (row as ObjectRow).object_key !== 'twice';
    assert.deepEqual((await everything(next)).filter(isOther), before.filter(isOther));
    assert.equal((await read(next, 'plain', 'twice')).toString(), 'written by a client meanwhile');
    await assertClean(next);
    await next.close();
  });

  test('is found with what was written anew in another form since the backup, under its version', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    lab.clock.advance(3_600_000);
    const wish = { id: 'rw-1', action: 'encrypt', bucket: 'versions', actor: 'tester', created_at: 0 } as const;
    await lab.gateway.buckets.update('versions', (now) => ({ ...now, encryption: { kind: 'aes256' } }), 'tester');
    await lab.store.write(startRewrite, wish);
    await lab.keepers().rewriter.run(signal);
    await lab.settle();
    const contents = await everything(lab);
    const next = await lose(engine, lab, keys);
    assert.equal((await rebuild(next)).lost, 0);
    assert.deepEqual(await everything(next), contents);
    await assertClean(next);
    await next.close();
  });

  test('is backed up in no readable form where there are root keys, on each backend, and all anew when much has changed', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    const [one, two] = lab.backends.map(({ backend }) => backend);
    const held = (backend = one!) => [...backend.blobs].filter(([key]) => key.startsWith(backupPrefix)).toSorted();
    assert.ok(held().length > 0);
    assert.ok(held().every(([, { bytes }]) => !bytes.includes('secret') && !bytes.includes('object_key')));
    for (const [key] of held(two)) await two!.delete(key, signal);
    await put(lab, 'plain', 'later', 'later');
    assert.match(await lab.keepers().backup.run(signal), /[1-9] blobs carried/);
    assert.deepEqual(
      held(two).map(([key]) => key),
      held(one).map(([key]) => key),
    );
    lab.clock.advance(8 * 86_400_000);
    const generations = () => new Set(held().map(([key]) => key.slice(backupPrefix.length).split('/')[0]));
    const [former] = generations();
    await lab.keepers().backup.run(signal);
    assert.equal(generations().size, 1);
    assert.ok(!generations().has(former));
    await lab.close();
  });

  test('was put back to an earlier state: later backups of it are not written over', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    const memory = await loadBackupMemory(lab.store);
    await put(lab, 'plain', 'later', 'later');
    await lab.keepers().backup.run(signal);
    const later = await loadBackupMemory(lab.store);
    const { revision } = await saveBackupMemory(lab.store, { ...memory, revision: later.revision });
    await assert.rejects(async () => lab.keepers().backup.run(signal), { kind: 'conflict' });
    // It is no other state that a process leaves which ends between writing and remembering.
    await saveBackupMemory(lab.store, { ...memory, isWriting: true, revision });
    assert.match(await lab.keepers().backup.run(signal), /all there is/);
    assert.notEqual((await loadBackupMemory(lab.store)).reached?.generation, later.reached?.generation);
    await lab.close();
  });

  test('is not begun with a wrong root key, or none', async () => {
    const lab = await filled();
    await lab.keepers().backup.run(signal);
    const wrong = rootKeysOf([localRootKey('root', randomBytes(32), 'a wrong file')]);
    const next = await lose(engine, lab, wrong);
    await assert.rejects(rebuild(next), {
      kind: 'invalid',
      message: /root key root \(from a wrong file\) is not the one/,
    });
    for (const table of ['objects', 'buckets', 'copies', 'rebuild_copies'])
      assert.equal(await count(next.store, table), 0);
    const bare = await lose(engine, next, null);
    await assert.rejects(rebuild(bare), { kind: 'invalid', message: /no root keys are configured/ });
    await bare.close();
  });
});

/** Other bytes in the place of these. */
function flipped(bytes: Buffer, at: number): Buffer {
  const other = Buffer.from(bytes);
  other[at]! ^= 1;
  return other;
}

function page(bucket: string) {
  return { bucket, prefix: '', delimiter: null, after: null, limit: 100 };
}
