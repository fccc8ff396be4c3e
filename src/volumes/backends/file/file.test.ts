import assert from 'node:assert/strict';
import { mkdir, open, readFile, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import type { VolumeBackend } from '../backend.ts';
import { backendConformance } from '../backend.conformance.ts';
import { MIB, ODD_BYTES, at, isKind, newAttachment, newVolume, reading } from '../conformance/suite.ts';
import { createFileBackend } from './file.ts';
import { copyByLoop } from './sparse-copy.ts';

backendConformance('file', async () => {
  const temporary = await temporaryDirectory();
  const directory = join(temporary.path, 'volumes');
  return {
    backend: createFileBackend({ directory }),
    // Below the limit of every file system in common use; ext4 has the lowest one, at 16 TiB.
    maxSizeBytes: (1n << 43n) + 1n,
    reopen: async () => createFileBackend({ directory }),
    putForeignImage: async (image: string, sizeBytes: bigint) => putFile(directory, image, sizeBytes),
    teardown: async () => temporary[Symbol.asyncDispose](),
  };
});

describe('the file backend keeps bytes', () => {
  it('snapshots, reverts and clones the content, odd bytes at the end included', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const made = await backend.create(at(), newVolume({ sizeBytes: ODD_BYTES }));
    await put(made.location, 'first', 70_000);
    await put(made.location, '!', Number(ODD_BYTES) - 1);
    const original = await readFile(made.location);
    await backend.createSnapshot(at(), made.image, 's1');
    await put(made.location, 'second', 70_000);
    const changed = await readFile(made.location);
    const source = { image: made.image, snapshot: 's1' };
    const clone = await backend.create(at(), newVolume({ source, sizeBytes: ODD_BYTES + MIB }));
    const grown = Buffer.concat([original, Buffer.alloc(Number(MIB))]);
    assert.ok(grown.equals(await readFile(clone.location)), 'the clone has the content of the snapshot, then zeros');
    assert.ok(changed.equals(await readFile(made.location)), 'the image has its own content');
    await backend.revert(at(), made.image, 's1');
    assert.ok(original.equals(await readFile(made.location)), 'the image is back');
    await backend.purge(at(), made.image);
    assert.ok(grown.equals(await readFile(clone.location)), 'the clone needs no parent');
  });

  it('keeps the content through the trash, a resize and an adoption', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const volume = newVolume();
    const { image, location } = await backend.create(at(), volume);
    await put(location, 'kept', 5000);
    await backend.trash(at(), image);
    await backend.restore(at(), image);
    await backend.create(at(), volume);
    await backend.resize(at(), image, ODD_BYTES);
    const bytes = await readFile(location);
    assert.equal(bytes.toString('latin1', 5000, 5004), 'kept');
    assert.equal(BigInt(bytes.length), ODD_BYTES);
  });

  it('takes no room for zeros, in images and in copies', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const { image, location } = await backend.create(at(), newVolume({ sizeBytes: 256n * MIB }));
    await put(location, 'data', 100_000_000);
    await backend.createSnapshot(at(), image, 's1');
    const source = { image, snapshot: 's1' };
    const clone = await backend.create(at(), newVolume({ source, sizeBytes: 256n * MIB }));
    for (const file of [location, clone.location]) {
      const { blocks, size } = await stat(file);
      assert.equal(BigInt(size), 256n * MIB);
      assert.ok(blocks * 512 <= 1024 * 1024, `${blocks} blocks of 512 bytes`);
    }
  });

  it('copies the same without the tool that finds holes', async () => {
    await using temporary = await temporaryDirectory();
    const sizeBytes = Number(64n * MIB + 1n);
    const [source, target] = [join(temporary.path, 'source'), join(temporary.path, 'target')];
    await writeFile(source, '');
    await truncate(source, sizeBytes);
    for (const position of [0, 4095, 8192, 4 * 1024 * 1024 - 1, 50_000_000, sizeBytes - 1]) {
      await put(source, 'x', position);
    }
    const to = await open(target, 'wx');
    try {
      await copyByLoop(source, to, sizeBytes, reading().signal);
      await assert.rejects(copyByLoop(source, to, sizeBytes, AbortSignal.abort()), { name: 'AbortError' });
    } finally {
      await to.close();
    }
    assert.ok((await readFile(source)).equals(await readFile(target)));
    assert.ok((await stat(target)).blocks * 512 <= 1024 * 1024);
  });

  it('ends a copy at the deadline and leaves nothing of it', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const { image } = await backend.create(at(), newVolume({ sizeBytes: 1n << 40n }));
    const controller = new AbortController();
    const copying = backend.createSnapshot({ fence: 1, signal: controller.signal }, image, 's1');
    const waiting = backend.resize({ fence: 1, signal: controller.signal }, image, 1n << 41n);
    setImmediate(() => controller.abort());
    const results = await Promise.allSettled([copying, waiting]);
    // Where the file system shares blocks, the snapshot may be done before the deadline.
    for (const result of results) if (result.status === 'rejected') isKind('unavailable')(result.reason);
    assert.deepEqual(await readdir(join(temporary.path, 'tmp')), []);
    const taken = results[0]?.status === 'fulfilled' ? 1 : 0;
    assert.equal((await backend.listSnapshots(reading(), image)).length, taken);
    assert.equal((await backend.resize(at(), image, 1n << 41n)).sizeBytes, 1n << 41n);
  });
});

describe('the file backend and what others do to its directory', () => {
  it('lists a file that was dropped there, and adopts it', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    await backend.health(reading().signal);
    await writeFile(join(temporary.path, 'images', 'debian-13.img'), 'bytes');
    await writeFile(join(temporary.path, 'images', 'not an image.img'), 'bytes');
    await writeFile(join(temporary.path, 'images', 'notes.txt'), 'bytes');
    await symlink('/etc/passwd', join(temporary.path, 'images', 'link.img'));
    const listed = await backend.list(reading(), { limit: 10 });
    assert.deepEqual(
      listed.map(({ image, volumeId, sizeBytes }) => ({ image, volumeId, sizeBytes })),
      [{ image: 'debian-13', volumeId: null, sizeBytes: 5n }],
    );
    await backend.adopt(at(), 'debian-13', { volumeId: 'vol-1', name: 'debian' });
    assert.equal((await backend.inspect(reading(), 'debian-13'))?.volumeId, 'vol-1');
    assert.equal(await readFile(join(temporary.path, 'images', 'debian-13.img'), 'utf8'), 'bytes');
    await assert.rejects(backend.inspect(reading(), 'link'), isKind('backend'));
  });

  it('refuses names that could reach other files', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: join(temporary.path, 'volumes') });
    const made = await backend.create(at(), newVolume());
    for (const name of ['', '.', '..', '../x', 'a/b', 'a@b', 'a\0b', 'a..b', '-x', '.x', 'ä', 'a b', 'x'.repeat(202)]) {
      const volume = newVolume({ image: name });
      for (const call of namedCalls(backend, name, made.image, volume)) await assert.rejects(call(), isKind('invalid'));
    }
    assert.deepEqual(await readdir(temporary.path), ['volumes']);
    assert.equal((await backend.list(reading(), { limit: 10 })).length, 1);
  });

  it('takes an image whose file was removed for absent, and makes it anew with its snapshots', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const volume = newVolume();
    const { image, location } = await backend.create(at(3), volume);
    await put(location, 'old', 0);
    await backend.createSnapshot(at(3), image, 's1');
    await rm(location);
    assert.equal(await backend.inspect(reading(), image), null);
    assert.deepEqual(await backend.list(reading(), { limit: 10 }), []);
    await backend.detach(at(3), image, { attachmentId: 'att-1', generation: 1, force: false });
    const other = newVolume({ image });
    await assert.rejects(backend.create(at(3), other), isKind('conflict'));
    await assert.rejects(backend.create(at(2), volume), isKind('conflict', { reason: 'stale_fence' }));
    assert.equal((await backend.create(at(3), volume)).complete, true);
    await backend.revert(at(3), image, 's1');
    assert.equal((await readFile(location)).toString('latin1', 0, 3), 'old');
  });

  it('does not guess the owner of an image whose record is damaged', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const { image } = await backend.create(at(), newVolume());
    for (const text of ['', '{', '{"format":2}']) {
      await writeFile(join(temporary.path, 'images', `${image}.json`), text);
      await assert.rejects(backend.inspect(reading(), image), isKind('backend'));
      await assert.rejects(backend.create(at(), newVolume({ image })), isKind('backend'));
    }
  });

  it('changes nothing while a name stands both in images and in the trash', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const { image } = await backend.create(at(), newVolume());
    await backend.trash(at(), image);
    await putFile(temporary.path, image, MIB);
    assert.equal((await backend.inspect(reading(), image))?.volumeId, null);
    await assert.rejects(backend.purge(at(), image), isKind('conflict'));
    await assert.rejects(backend.restore(at(), image), isKind('conflict'));
    await assert.rejects(backend.trash(at(), image), isKind('conflict'));
    assert.deepEqual(await readdir(join(temporary.path, 'trash')), [`${image}.img`, `${image}.json`]);
  });

  it('says why it cannot limit I/O or cut off clients, and makes nothing meanwhile', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const limited = newVolume({ qos: { iops: 5 } });
    await assert.rejects(backend.create(at(), limited), /The file backend cannot limit I\/O: /);
    assert.equal(await backend.inspect(reading(), limited.image), null);
    const { image } = await backend.create(at(), newVolume({ qos: {} }));
    const attachment = newAttachment();
    const forced = { attachmentId: attachment.attachmentId, generation: 1, force: true };
    await backend.detach(at(), image, forced);
    await backend.attach(at(), image, attachment);
    await assert.rejects(backend.detach(at(), image, forced), /The file backend cannot cut off clients: /);
  });
});

function namedCalls(backend: VolumeBackend, name: string, image: string, volume: ReturnType<typeof newVolume>) {
  return [
    () => backend.create(at(), volume),
    () => backend.inspect(reading(), name),
    () => backend.resize(at(), name, 1n),
    () => backend.purge(at(), name),
    () => backend.trash(at(), name),
    () => backend.createSnapshot(at(), image, name),
    () => backend.deleteSnapshot(at(), image, name),
    () => backend.revert(at(), image, name),
  ];
}

async function putFile(directory: string, image: string, sizeBytes: bigint): Promise<void> {
  const file = join(directory, 'images', `${image}.img`);
  await mkdir(join(directory, 'images'), { recursive: true });
  await writeFile(file, '', { flag: 'wx' });
  await truncate(file, Number(sizeBytes));
}

async function put(file: string, text: string, position: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.write(text, position);
  } finally {
    await handle.close();
  }
}
